/** What the gateway knows of each model: enough to parse, price, bound and route a request for it. */
import type { Price } from './price.ts';

export const endpoints = ['chat', 'completions', 'embeddings', 'images'] as const;
export type Endpoint = (typeof endpoints)[number];

/** Whether what an endpoint answers is generated token by token, with an end to each choice. */
export const generatesText = (endpoint: Endpoint): boolean =>
  endpoint === 'chat' || endpoint === 'completions';

/** How a node speaks: the Atoma network's protocol (signed bodies, prepaid stacks) or plain OpenAI, such as vLLM. */
export const protocols = ['atoma', 'openai'] as const;
export type Protocol = (typeof protocols)[number];

export type Model = {
  readonly id: string;
  readonly createdSeconds: number;
  readonly ownedBy: string;
  readonly endpoints: readonly Endpoint[];
  /** The protocols of the nodes that serve it now; empty while none does. */
  readonly protocols: readonly Protocol[];
  readonly contextTokensMax: number;
  readonly outputTokensMax: number;
  /** The most prompt tokens that one picture, sound or file part can become. */
  readonly mediaTokensMax: number;
  /** Nothing while the model has no price: it is then not callable. */
  readonly price: Price | undefined;
};

/** The models on offer, published by the control plane and read by every other process. */
export type Catalogue = {
  readonly version: string;
  readonly models: readonly Model[];
};

export const emptyCatalogue: Catalogue = { version: '', models: [] };
