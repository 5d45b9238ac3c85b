/** A gateway for sealed requests: of its models some are alone on their node, so that a test knows who is locked. */
import type { NetworkModelInput, NetworkNodeInput } from '../../devnet/network-schema.ts';
import { models, nodes } from './fleet.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';

export const vectorModel = 'vault/embed';
export const pictureModel = 'vault/paint';
export const loneModel = 'vault/lone';
/** Lets in a few tokens of output. */
export const tightModel = 'vault/tight';

const text = {
  endpoints: ['chat', 'completions'] as ('chat' | 'completions')[],
  context_tokens: 32_768,
  output_tokens_max: 4096,
  media_tokens_max: 0,
  owned_by: 'vault',
  created: 1_735_689_600,
  price: { input: '0.5', cached_input: '0.25', output: '1.5' },
};
const sealedModels: readonly NetworkModelInput[] = [
  ...models,
  { ...text, id: loneModel },
  { ...text, id: tightModel, output_tokens_max: 16 },
  {
    ...text,
    id: vectorModel,
    endpoints: ['embeddings'],
    output_tokens_max: 0,
    price: { input: '0.02', cached_input: '0.02' },
  },
  {
    ...text,
    id: pictureModel,
    endpoints: ['images'],
    output_tokens_max: 0,
    price: { image: '0.01', image_pixel: '0.001' },
  },
];
const sealedNodes: readonly NetworkNodeInput[] = [
  ...nodes,
  { id: 'vault', protocol: 'atoma', models: [vectorModel, pictureModel] },
  { id: 'lone', protocol: 'atoma', models: [loneModel, tightModel] },
];

/** With two of each service that decides, so that what one knows the other must. */
export const startSealedGateway = (): Promise<TestGateway> =>
  startTestGateway({
    models: sealedModels,
    nodes: sealedNodes,
    replicas: { extAuthz: 2, extProc: 2 },
  });
