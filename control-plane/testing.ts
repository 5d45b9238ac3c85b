/** Small fleets for tests. */
import type { Fleet, ModelOffer } from '../domain/fleet.ts';
import { picoUsd } from '../domain/money.ts';
import type { Price } from '../domain/price.ts';

/** A chat model; without an amount it has no price. */
export function testOffer(id: string, inputToken?: bigint): ModelOffer {
  return {
    id,
    createdSeconds: 1_700_000_000,
    ownedBy: 'test',
    endpoints: ['chat'],
    contextTokensMax: 8192,
    outputTokensMax: 1024,
    mediaTokensMax: 8192,
    price: inputToken === undefined ? undefined : amountsOf(inputToken),
  };
}

export function testPrice(version: string, inputToken: bigint): Price {
  return { version, ...amountsOf(inputToken) };
}

function amountsOf(inputToken: bigint) {
  return {
    inputToken: picoUsd(inputToken),
    cachedInputToken: picoUsd(inputToken),
    outputToken: picoUsd(4n * inputToken),
    image: picoUsd(0n),
    imagePixel: picoUsd(0n),
  };
}

/** `nodes` names the models of each node; all of them speak plain OpenAI. */
export function testFleet(options: {
  readonly models: readonly ModelOffer[];
  readonly nodes: Readonly<Record<string, readonly string[]>>;
}): Fleet {
  return {
    models: options.models,
    nodes: Object.entries(options.nodes).map(([id, models]) => ({
      id,
      host: '127.0.0.1',
      ip: '127.0.0.1',
      port: 8000,
      tls: false,
      protocol: 'openai',
      weight: 100,
      signerAddress: '',
      sealingKey: '',
      models: models.map((model) => ({ model, stacks: [] })),
    })),
  };
}
