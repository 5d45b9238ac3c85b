/** How the objects of an answer become text: signed in clear, or sealed (Atoma node protocol, sections 9 to 11). */
import type { SigningKey } from '../chain/keystore.ts';
import { signResponse } from '../chain/response-signature.ts';
import {
  createStreamSealer,
  type NoncePolicy,
  sealResponse,
} from '../confidential/answer-sealing.ts';
import type { ExchangeCipher } from '../confidential/cipher.ts';
import type { RandomBytes } from '../confidential/keys.ts';

export type AnswerPrinter = {
  readonly whole: (json: object) => string;
  /** The data of one event; chunks are printed in order. */
  readonly event: (json: object) => string;
  /** The data of the last event of a stream that was stopped. */
  readonly stopped: (json: object, usage: object) => string;
};

/** Signs what everybody may read. */
export const plainPrinter = (key: SigningKey): AnswerPrinter => ({
  whole: (json) => signResponse(key, JSON.stringify(json)),
  event: (json) => signResponse(key, JSON.stringify(json)),
  stopped: (json, usage) => signResponse(key, JSON.stringify({ ...json, usage })),
});

/** Seals for the client; only usage stays in clear. */
export function sealedPrinter(options: {
  readonly cipher: ExchangeCipher;
  readonly key: SigningKey;
  readonly nonces: NoncePolicy;
  readonly randomBytes: RandomBytes;
}): AnswerPrinter {
  const stream = createStreamSealer(options);
  return {
    whole: (json) => sealResponse(toSeal(json), options),
    event: (json) => stream.seal(toSeal(json)),
    stopped: (json, usage) =>
      stream.sealStopped({ plaintext: bytesOf(json), usage: JSON.stringify(usage) }),
  };
}

const bytesOf = (json: object) => Buffer.from(JSON.stringify(json));

const toSeal = (json: object) => ({
  plaintext: bytesOf(json),
  usage: 'usage' in json ? JSON.stringify(json.usage) : undefined,
});
