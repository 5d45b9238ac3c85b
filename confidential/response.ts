/** Whole answers: one JSON object, sealed by the node and opened by the client (Atoma node protocol, section 11). */
import type { SigningKey } from '../chain/keystore.ts';
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

/** Opens and checks a whole answer. */
export function openResponse(text: string, cipher: ExchangeCipher): OpenedAnswer | AnswerFault {
  const answer = parseAnswer(text);
  if ('kind' in answer) return answer;
  const isNonceRepeated = createStreamNonces(cipher).isRepeated(answer.nonce);
  return openAnswer(answer, { cipher, isNonceRepeated });
}
