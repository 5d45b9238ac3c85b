/** One request on its way: what ext-authz decided and ext-proc needs, carried by Envoy as dynamic metadata. */
import type { Endpoint } from './model.ts';
import type { PicoUsd } from './money.ts';
import type { Price } from './price.ts';
import type { Usage } from './usage.ts';

/** Replaces `length` bytes of the body at `offset` by `text`; edits are in ascending order and never overlap. */
export type BodyEdit = {
  readonly offset: number;
  readonly length: number;
  readonly text: string;
};

/** The one node to which a request is sealed, and what of its envelope an answer is judged by. */
export type SealedTo = {
  readonly nodeId: string;
  /** Pays, whatever other stack the node has by now. */
  readonly stackId: string;
  /** The nonce of the request in base64; no answer may use it again. */
  readonly nonce: string;
};

export type Exchange = {
  readonly requestId: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly model: string;
  readonly endpoint: Endpoint;
  readonly stream: boolean;
  /** Whether the caller asked for the usage chunk of a stream. */
  readonly usageWanted: boolean;
  readonly price: Price;
  readonly reserved: PicoUsd;
  /** The most that a node may report; anything above is not believed. */
  readonly bound: Usage;
  /** The gateway's own guess of the prompt, charged where a node tells no plausible count. */
  readonly estimatedInputTokens: number;
  /** Units held in the model's pool; 0 where no node of the model needs a stack. */
  readonly units: number;
  readonly startedMs: number;
  readonly edits: readonly BodyEdit[];
  /** Nothing where the request is in clear. */
  readonly sealed: SealedTo | undefined;
};
