/** What the gateway has seen of an exchange besides its usage: what a receipt tells beyond the usage record. */
import type { PicoUsd } from './money.ts';

/** The last signature of a node over its answer, and the BLAKE2b-256 that it signs, both in base64 as they came. */
export type NodeSignature = {
  readonly signerAddress: string;
  readonly hash: string;
  readonly signature: string;
};

/** Hashes are SHA-256 in lower-case hex. */
export type Evidence = {
  readonly startedMs: number;
  readonly reserved: PicoUsd;
  /** Of the body as the client sent it. */
  readonly requestHash: string;
  /** Of the body as it left for the node. */
  readonly forwardedHash: string;
  /** Of the body as it left for the client, an SSE stream with its framing. */
  readonly responseHash: string;
  readonly responseBytes: number;
  /** Nothing where the node signs nothing. */
  readonly nodeSignature: NodeSignature | undefined;
};
