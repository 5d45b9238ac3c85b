/** Whole answers: one JSON object, which the client opens (Atoma node protocol, section 11). */
import { type AnswerFault, type OpenedAnswer, openAnswer, parseAnswer } from './answer.ts';
import type { ExchangeCipher } from './cipher.ts';
import { createStreamNonces } from './stream-nonces.ts';

/** Opens and checks a whole answer. */
export function openResponse(text: string, cipher: ExchangeCipher): OpenedAnswer | AnswerFault {
  const answer = parseAnswer(text);
  if ('kind' in answer) return answer;
  const isNonceRepeated = createStreamNonces(cipher).isRepeated(answer.nonce);
  return openAnswer(answer, { cipher, isNonceRepeated });
}
