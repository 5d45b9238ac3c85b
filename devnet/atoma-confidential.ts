/** How an Atoma node opens a sealed request, in its order and with its errors (Atoma node protocol, sections 6 and 11). */
import { signerOf } from '../chain/request-signature.ts';
import type { ExchangeCipher } from '../confidential/cipher.ts';
import { decodeEnvelope, decodeHash, parseEnvelope } from '../confidential/envelope.ts';
import type { KeyPair } from '../confidential/keys.ts';
import { openRequest } from '../confidential/request.ts';
import type { Answer } from './answer.ts';
import { type Refused, refuse } from './atoma-errors.ts';
import type { NodeRequest } from './node-server.ts';

export type OpenedBody = {
  readonly kind: 'opened';
  readonly plaintext: Uint8Array;
  readonly signer: string;
  /** Decimal; it takes the place of the header. */
  readonly stack: string;
  readonly cipher: ExchangeCipher;
};

/** The signature is over the hash that the envelope names; only then is anything opened. */
export function openSealed(request: NodeRequest, pair: KeyPair): OpenedBody | Refused {
  const text = parseEnvelope(request.bytes, { unknownFields: 'ignored' });
  if ('kind' in text) return refuse('invalidBody', `Invalid envelope: ${text.field}`);
  const hash = decodeHash(text);
  if (!hash) return refuse('invalidHeader', 'Invalid plaintext_body_hash');
  const signature = request.header('x-signature');
  if (signature === undefined) return refuse('missingHeader', 'Missing header: X-Signature');
  const signer = signerOf(hash, signature);
  if (signer === undefined) return refuse('invalidHeader', 'Invalid header: X-Signature');

  const envelope = decodeEnvelope(text);
  if ('kind' in envelope) return refuse('internal', `Invalid field: ${envelope.field}`);
  const opened = openRequest(envelope, pair);
  switch (opened.kind) {
    case 'opened': {
      const { plaintext, cipher } = opened;
      return { kind: 'opened', plaintext, signer, stack: String(text.stackSmallId), cipher };
    }
    case 'hash-differs':
      return refuse('invalidBody', 'The plaintext has another hash');
    case 'key-unknown':
    case 'key-weak':
    case 'undecryptable':
      return refuse('internal', opened.kind);
  }
}

/** The answer to a sealed request: when it ends, so does its key. */
export const erasing = (answer: Answer, cipher: ExchangeCipher): Answer => ({
  ...answer,
  ended(outcome) {
    answer.ended(outcome);
    cipher.erase();
  },
});
