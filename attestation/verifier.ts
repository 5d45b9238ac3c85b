/** The contract of verifiers; an own one is a plugin module in `ATOMA_ATTESTATION_PLUGINS`. */
import type { Logger } from '../runtime/log.ts';
import type { Plugin } from '../runtime/plugin.ts';
import type { Finding } from './claim.ts';
import type { Evidence } from './evidence.ts';

/** The key of a node as the chain tells it. */
export type KeyCommitment = {
  readonly publicKey: Uint8Array;
  /** Counter of the network's rotation under which the node committed it. */
  readonly rotation: bigint;
  /** Nothing where the network has moved on since: only the present rotation's nonce is kept. */
  readonly rotationNonce: bigint | undefined;
  /** Whether the evidence came with this very key; otherwise it may be of an earlier one. */
  readonly isEvidenceOwn: boolean;
};

export type Subject = {
  readonly evidence: Evidence;
  readonly key: KeyCommitment;
  readonly nowMs: number;
};

export type Verifier = {
  /** Stands behind each of its claims as `by`; unique. */
  readonly name: string;
  /** All that it speaks of. What it leaves out of its findings is shown as unknown. */
  readonly claims: readonly string[];
  /**
   * Called with evidence in proper form only, written by a stranger all the same. It shares the process with everything
   * else: heavy work belongs elsewhere, and long work ends with the signal. What it throws makes its claims unknown.
   */
  verify(subject: Subject, signal: AbortSignal): Promise<readonly Finding[]>;
};

/** What the host lends to a verifier. */
export type VerifierTools = { readonly log: Logger };

export type VerifierPlugin<Config> = Plugin<Config, VerifierTools, Verifier>;
