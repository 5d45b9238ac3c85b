/** Fleets and settings for tests of the translation and of ADS. */
import { z } from 'zod';
import type { Fleet, FleetNode } from '../../../domain/fleet.ts';
import { protocols } from '../../../domain/model.ts';
import type { GatewaySettings } from '../settings.ts';

const node = z.strictObject({
  id: z.string(),
  host: z.string(),
  ip: z.string(),
  port: z.int(),
  tls: z.boolean(),
  protocol: z.enum(protocols),
  weight: z.int(),
  signerAddress: z.string(),
  sealingKey: z.string().default(''),
  models: z.array(
    z.strictObject({
      model: z.string(),
      stacks: z.array(z.strictObject({ id: z.string(), units: z.int() })),
    }),
  ),
});

/** A fleet as `testdata/*.in.yaml` gives it: models by name, nodes in full. */
export const fleetFile = z
  .strictObject({ models: z.array(z.string()), nodes: z.array(node) })
  .transform(({ models, nodes }): Fleet => ({ models: models.map(offer), nodes }));

const offer = (id: string) => ({
  id,
  createdSeconds: 0,
  ownedBy: 'test',
  endpoints: [],
  contextTokensMax: 1000,
  outputTokensMax: 1000,
  mediaTokensMax: 1000,
  price: undefined,
});

/** Plain nodes on loopback that serve `model`. */
export function fleetOf(
  model: string,
  nodes: readonly (Partial<FleetNode> & { readonly port: number })[],
): Fleet {
  return {
    models: [offer(model)],
    nodes: nodes.map((given) => ({
      id: `node-${given.port}`,
      host: '127.0.0.1',
      ip: '127.0.0.1',
      tls: false,
      protocol: 'openai',
      weight: 1,
      signerAddress: '',
      sealingKey: '',
      models: [{ model, stacks: [] }],
      ...given,
    })),
  };
}

const local = (port: number) => ({ host: '127.0.0.1', port });

export function testSettings(changes: Partial<GatewaySettings> = {}): GatewaySettings {
  return {
    listen: local(8080),
    extAuthz: [local(9100), local(9101)],
    extProc: [local(9200)],
    api: [local(9301)],
    bodyBytesMax: 20_971_520,
    firstByteTimeoutMs: 120_000,
    jsonTimeoutMs: 300_000,
    requestHooks: 'headers',
    // Relative to the root of the repository, where tests run.
    trustedRootsFile: 'control-plane/translate/testdata/roots.pem',
    ...changes,
  };
}
