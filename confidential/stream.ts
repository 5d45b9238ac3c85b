/** Streams: every event is one sealed and signed chunk (Atoma node protocol, sections 10 and 11). */

import type { SigningKey } from '../chain/keystore.ts';
import { checkResponse, signResponse } from '../chain/response-signature.ts';
import {
  type AnswerFault,
  type AnswerToSeal,
  type OpenedAnswer,
  openAnswer,
  parseAnswer,
  sealMembers,
} from './answer.ts';
import { type ExchangeCipher, nonceBytes } from './cipher.ts';
import type { RandomBytes } from './keys.ts';
import { createStreamNonces } from './stream-nonces.ts';

/** `shared` is what the published node does, and what breaks its secrecy; every client reads `unique` as well. */
export type NoncePolicy = 'shared' | 'unique';

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
    const nonce = options.nonces === 'shared' ? first : nonceOf(first, chunks);
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

/** The first nonce with the chunk's number in its last four bytes, so that none comes twice. */
function nonceOf(first: Uint8Array, chunk: number): Uint8Array {
  const nonce = Uint8Array.from(first);
  const view = new DataView(nonce.buffer);
  view.setUint32(nonceBytes - 4, view.getUint32(nonceBytes - 4) ^ chunk);
  return nonce;
}

export type OpenedEvent = OpenedAnswer & {
  /** What hash and signature are over: the chunk, or the event where the stream was stopped. */
  readonly signed: 'plaintext' | 'event';
};

/** Opens the events of one stream. Lost, repeated and reordered events cannot be noticed, nor a lost end. */
export function createStreamReader(cipher: ExchangeCipher) {
  const nonces = createStreamNonces(cipher);
  return {
    /** Opens the data of one event. */
    open(data: string): OpenedEvent | AnswerFault {
      const answer = parseAnswer(data);
      if ('kind' in answer) return answer;
      const isNonceRepeated = nonces.isRepeated(answer.nonce);
      const opened = openAnswer(answer, { cipher, isNonceRepeated });
      if (opened.kind === 'opened') return { ...opened, signed: 'plaintext' };
      if (opened.kind !== 'hash-differs') return opened;
      const check = checkResponse(data);
      const plaintext = check.kind === 'signed' ? cipher.open(answer) : undefined;
      if (check.kind !== 'signed' || !plaintext) return opened;
      const { signerAddress } = check;
      const { usage } = answer;
      return { kind: 'opened', plaintext, signerAddress, usage, isNonceRepeated, signed: 'event' };
    },
    /** Events so far whose nonce had been used before. */
    repeatedNonces: nonces.repeated,
  };
}
