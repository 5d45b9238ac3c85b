/** Streams: every event is one sealed and signed chunk, which the client opens (Atoma node protocol, sections 10 and 11). */
import { equalBytes } from '@noble/ciphers/utils.js';
import { blake2b256 } from '../chain/blake2b.ts';
import { type SignerOf, signerOf as signerOfNow } from '../chain/signer.ts';
import {
  type AnswerFault,
  type AnswerText,
  type OpenedAnswer,
  openAnswer,
  parseAnswer,
  signerOfHash,
} from './answer.ts';
import type { ExchangeCipher } from './cipher.ts';
import { createStreamNonces } from './stream-nonces.ts';

export type OpenedEvent = OpenedAnswer & {
  /** What hash and signature are over: the chunk, or the event where the stream was stopped. */
  readonly signed: 'plaintext' | 'event';
};

/**
 * Opens the events of one stream. Lost, repeated and reordered events cannot be noticed, nor a lost end. Whoever gives a
 * `signerOf` that takes signatures for valid has to check them before anything of the event is believed.
 */
export function createStreamReader(cipher: ExchangeCipher, signerOf: SignerOf = signerOfNow) {
  const nonces = createStreamNonces(cipher);
  return {
    /** Opens the data of one event. */
    open(data: string): OpenedEvent | AnswerFault {
      const answer = parseAnswer(data);
      if ('kind' in answer) return answer;
      const isNonceRepeated = nonces.isRepeated(answer.nonce);
      const opened = openAnswer(answer, { cipher, isNonceRepeated, signerOf });
      if (opened.kind === 'opened') return { ...opened, signed: 'plaintext' };
      if (opened.kind !== 'hash-differs') return opened;
      const signerAddress = signerOfEvent(data, { answer, signerOf });
      const plaintext = signerAddress === undefined ? undefined : cipher.open(answer);
      if (signerAddress === undefined || !plaintext) return opened;
      const { nonce, usage } = answer;
      const signed = 'event';
      return { kind: 'opened', plaintext, nonce, signerAddress, usage, isNonceRepeated, signed };
    },
    /** Events so far whose nonce had been used before. */
    repeatedNonces: nonces.repeated,
  };
}

const tailPattern = /,"signature":"[A-Za-z0-9+/=]+","response_hash":"[A-Za-z0-9+/=]+"\}\s*$/;

/** Who signed the event as it stands, without the two members at its end. */
function signerOfEvent(
  data: string,
  { answer, signerOf }: { readonly answer: AnswerText; readonly signerOf: SignerOf },
): string | undefined {
  const signed = data.replace(tailPattern, '}');
  return equalBytes(blake2b256(signed), answer.hash) ? signerOfHash(answer, signerOf) : undefined;
}
