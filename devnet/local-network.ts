/** The network that `npm start` brings up: four models on eight small nodes of both protocols. */
import type { NetworkModelInput, NetworkNodeInput } from './network-schema.ts';

const created = 1_735_689_600;
const chatEndpoints = ['chat', 'completions'] as const;

export const localModels: readonly NetworkModelInput[] = [
  {
    id: 'llama-3.3-70b-instruct',
    endpoints: [...chatEndpoints],
    context_tokens: 131_072,
    output_tokens_max: 8192,
    media_tokens_max: 2048,
    owned_by: 'meta',
    created,
    price: { input: '0.12', cached_input: '0.06', output: '0.3' },
  },
  {
    id: 'qwen3-32b',
    endpoints: [...chatEndpoints],
    context_tokens: 40_960,
    output_tokens_max: 8192,
    media_tokens_max: 2048,
    owned_by: 'qwen',
    created,
    price: { input: '0.1', cached_input: '0.05', output: '0.28' },
  },
  {
    id: 'bge-m3',
    endpoints: ['embeddings'],
    context_tokens: 8192,
    output_tokens_max: 0,
    media_tokens_max: 0,
    owned_by: 'baai',
    created,
    price: { input: '0.01', cached_input: '0.01' },
  },
  {
    id: 'flux-schnell',
    endpoints: ['images'],
    context_tokens: 512,
    output_tokens_max: 0,
    media_tokens_max: 0,
    owned_by: 'black-forest-labs',
    created,
    price: { image: '0.001', image_pixel: '0.0019' },
  },
];

const pace = { firstTokenMs: 60, tokensPerSecond: 100, replyTokens: 24, cachedShare: 0 };

/** Millionths of a USDC per million units; below what the gateway takes for the same tokens. */
const [chatUnits, embeddingUnits] = [100_000, 8000];

export const localNodes: readonly NetworkNodeInput[] = [
  {
    id: 'oslo',
    protocol: 'atoma',
    weight: 100,
    models: ['llama-3.3-70b-instruct'],
    pace,
    unit_price: chatUnits,
    country: 'NO',
  },
  {
    id: 'lima',
    protocol: 'atoma',
    weight: 100,
    models: ['llama-3.3-70b-instruct'],
    pace,
    unit_price: chatUnits,
    country: 'PE',
  },
  { id: 'kyoto', protocol: 'openai', weight: 100, models: ['llama-3.3-70b-instruct'], pace },
  { id: 'porto', protocol: 'openai', weight: 100, models: ['qwen3-32b'], pace },
  { id: 'quito', protocol: 'openai', weight: 100, models: ['qwen3-32b'], pace },
  { id: 'turin', protocol: 'openai', weight: 100, models: ['bge-m3'], pace },
  {
    id: 'malmo',
    protocol: 'atoma',
    weight: 100,
    models: ['bge-m3'],
    pace,
    unit_price: embeddingUnits,
    country: 'SE',
  },
  { id: 'delhi', protocol: 'openai', weight: 100, models: ['flux-schnell'], pace },
];

/** The models that Atoma nodes serve. */
export const chainModels = localModels.filter(({ id }) =>
  localNodes.some(({ protocol, models }) => protocol === 'atoma' && models.includes(id)),
);
