/** Sealing answers, as the node does: whole ones, and the events of a stream (Atoma node protocol, sections 10 and 11). */
import { blake2b256 } from '../chain/blake2b.ts';
import type { SigningKey } from '../chain/keystore.ts';
import { signHash } from '../chain/request-signature.ts';
import { signResponse } from '../chain/response-signature.ts';
import { toBase64 } from './base64.ts';
import { type ExchangeCipher, nonceBytes } from './cipher.ts';
import type { RandomBytes } from './keys.ts';
import { numberedNonce } from './stream-nonces.ts';

export type AnswerToSeal = {
  /** The JSON of the backend, usage included, without signature. */
  readonly plaintext: Uint8Array;
  /** Compact JSON; nothing for pictures, and for the chunks before the one that carries it. */
  readonly usage: string | undefined;
};

/** Seals under a fresh nonce and signs. */
export function sealResponse(
  { plaintext, usage }: AnswerToSeal,
  options: {
    readonly cipher: ExchangeCipher;
    readonly key: SigningKey;
    readonly randomBytes: RandomBytes;
  },
): string {
  const { cipher, key, randomBytes } = options;
  const sealed = sealMembers(plaintext, { cipher, key, nonce: randomBytes(nonceBytes) });
  const members = [sealed.nonce, sealed.ciphertext, sealed.hash, sealed.signature];
  if (usage !== undefined) members.push(`"usage":${usage}`);
  return `{${members.join(',')}}`;
}

/**
 * `shared` is what the published node does, and what breaks its secrecy; every client reads the others as well. `numbered`
 * lets a client notice events that are missing or out of turn.
 */
export type NoncePolicy = 'shared' | 'unique' | 'numbered';

const nonceOfEvent = {
  shared: (first) => first,
  unique: maskedNonce,
  numbered: numberedNonce,
} as const satisfies Record<NoncePolicy, (first: Uint8Array, event: number) => Uint8Array>;

/** Seals the chunks of one stream, in order; each result is the data of one event. */
export function createStreamSealer(options: {
  readonly cipher: ExchangeCipher;
  readonly key: SigningKey;
  readonly nonces: NoncePolicy;
  readonly randomBytes: RandomBytes;
}) {
  const { cipher, key } = options;
  const first = options.randomBytes(nonceBytes);
  let chunks = 0;
  let known: string | undefined;

  function nextNonce(): Uint8Array {
    const nonce = nonceOfEvent[options.nonces](first, chunks);
    chunks += 1;
    return nonce;
  }

  return {
    /** Usage stands outside from the chunk that carries it on. */
    seal({ plaintext, usage }: AnswerToSeal): string {
      known = usage ?? known;
      const sealed = sealMembers(plaintext, { cipher, key, nonce: nextNonce() });
      const members = [sealed.ciphertext, sealed.nonce];
      if (known !== undefined) members.push(`"usage":${known}`);
      return `{${[...members, sealed.signature, sealed.hash].join(',')}}`;
    },
    /** The last event of a stream that was stopped: hash and signature are over the event itself. */
    sealStopped({ plaintext, usage }: AnswerToSeal & { readonly usage: string }): string {
      const sealed = sealMembers(plaintext, { cipher, key, nonce: nextNonce() });
      return signResponse(key, `{${sealed.ciphertext},${sealed.nonce},"usage":${usage}}`);
    },
  };
}

/** The first nonce with the event's number in its last four bytes by XOR, so that none comes twice. */
function maskedNonce(first: Uint8Array, event: number): Uint8Array {
  const nonce = Uint8Array.from(first);
  const view = new DataView(nonce.buffer);
  view.setUint32(nonceBytes - 4, view.getUint32(nonceBytes - 4) ^ event);
  return nonce;
}

/** The members of an answer as JSON texts; their order differs between whole answers and events. */
function sealMembers(
  plaintext: Uint8Array,
  options: {
    readonly cipher: ExchangeCipher;
    readonly key: SigningKey;
    readonly nonce: Uint8Array;
  },
) {
  const { cipher, key, nonce } = options;
  const hash = blake2b256(plaintext);
  return {
    nonce: `"nonce":"${toBase64(nonce)}"`,
    ciphertext: `"ciphertext":"${toBase64(cipher.seal({ nonce, plaintext }))}"`,
    hash: `"response_hash":"${toBase64(hash)}"`,
    signature: `"signature":"${signHash(key, hash)}"`,
  };
}
