/** Opening what whole answers and stream events have in common: a ciphertext, and a signed hash of what is in it. */
import { equalBytes } from '@noble/ciphers/utils.js';
import { z } from 'zod';
import { blake2b256 } from '../chain/blake2b.ts';
import { type SignerOf, signerOf } from '../chain/signer.ts';
import { parseBase64 } from './base64.ts';
import { type ExchangeCipher, nonceBytes, tagBytes } from './cipher.ts';
import { hashBytes } from './envelope.ts';
import { type Malformed, malformed, readJson } from './reading.ts';

/** Pictures as base64 within base64 fit. */
export const answerCharsMax = 64 * 1024 * 1024;

export type AnswerText = {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly hash: Uint8Array;
  readonly signature: string;
  /** In clear and of no signer: what billing sees. Nothing where the node told nothing. */
  readonly usage: unknown;
};

export type OpenedAnswer = {
  readonly kind: 'opened';
  readonly plaintext: Uint8Array;
  readonly nonce: Uint8Array;
  /** Who signed; whether that is the node is the caller's to compare. */
  readonly signerAddress: string;
  readonly usage: unknown;
  /** Whoever sees the traffic learns from it; to refuse or to warn is the caller's policy. */
  readonly isNonceRepeated: boolean;
};

export type AnswerFault =
  | Malformed
  | { readonly kind: 'undecryptable' | 'hash-differs' | 'signature-invalid' };

const shape = z.looseObject({
  nonce: z.string(),
  ciphertext: z.string(),
  response_hash: z.string(),
  signature: z.string(),
  usage: z.unknown().optional(),
});

/** Reads an answer or an event; fields that are not known are ignored, as all clients do. */
export function parseAnswer(text: string): AnswerText | Malformed {
  if (text.length > answerCharsMax) return malformed('', `at most ${answerCharsMax} characters`);
  const parsed = readJson(text, shape);
  if (parsed.kind === 'malformed') return parsed;
  const { value } = parsed;
  const nonce = parseBase64(value.nonce);
  if (nonce?.length !== nonceBytes) return malformed('nonce', `base64 of ${nonceBytes} bytes`);
  const ciphertext = parseBase64(value.ciphertext);
  if (!ciphertext || ciphertext.length < tagBytes) {
    return malformed('ciphertext', 'base64 of a ciphertext with its tag');
  }
  const hash = parseBase64(value.response_hash);
  if (hash?.length !== hashBytes) return malformed('response_hash', `base64 of ${hashBytes} bytes`);
  const { signature, usage } = value;
  if (!parseBase64(signature)) return malformed('signature', 'base64 of a signature');
  return { nonce, ciphertext, hash, signature, usage };
}

/** Who signed the hash that the answer names; nothing where nobody did. */
export function signerOfHash(
  { hash, signature }: AnswerText,
  check: SignerOf = signerOf,
): string | undefined {
  const signed = parseBase64(signature);
  return signed && check(hash, signed);
}

/** Opens what was read, and checks the hash and the signature over the plaintext. */
export function openAnswer(
  answer: AnswerText,
  options: {
    readonly cipher: ExchangeCipher;
    readonly isNonceRepeated: boolean;
    readonly signerOf?: SignerOf;
  },
): OpenedAnswer | AnswerFault {
  const { nonce, hash, usage } = answer;
  const { isNonceRepeated } = options;
  const plaintext = options.cipher.open(answer);
  if (!plaintext) return { kind: 'undecryptable' };
  if (!equalBytes(blake2b256(plaintext), hash)) return { kind: 'hash-differs' };
  const signerAddress = signerOfHash(answer, options.signerOf);
  if (signerAddress === undefined) return { kind: 'signature-invalid' };
  return { kind: 'opened', plaintext, nonce, signerAddress, usage, isNonceRepeated };
}
