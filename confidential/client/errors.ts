/** What a caller of sealed requests can meet besides the gateway's own refusals: something was not proven, or cannot be sealed. */

/** What was not proven. */
export type Unproven =
  /** The gateway's lock is no lock. */
  | 'lock'
  /** The key to which the request would be sealed is not the node's. */
  | 'key'
  /** What came back is no sealed answer, or was not sealed under this exchange's key. */
  | 'ciphertext'
  /** The hash is not that of what was sealed. */
  | 'hash'
  /** Nobody, or somebody else than the node, signed. */
  | 'signer'
  /** A nonce came twice, so that others can read what was sealed under it. */
  | 'nonce'
  /** An event is missing, came twice or came out of turn. */
  | 'order'
  /** The answer stopped before its end. */
  | 'end'
  /** The answer is not the kind that was asked for, or of another model. */
  | 'answer'
  /** What billing sees is not what the node counted. */
  | 'usage';

/** Thrown instead of an answer, or in the middle of one. Nothing that is behind it reaches the caller. */
export class UnprovenError extends Error {
  override readonly name = 'UnprovenError';
  readonly unproven: Unproven;
  /** Whether the request was on its way, so that asking again asks twice. */
  readonly isSent: boolean;

  constructor(unproven: Unproven, message: string) {
    super(message);
    this.unproven = unproven;
    this.isSent = unproven !== 'lock' && unproven !== 'key';
  }
}

/** Thrown where a request would carry a body that cannot be sealed: nothing goes out in clear. */
export class UnsealableError extends Error {
  override readonly name = 'UnsealableError';
}
