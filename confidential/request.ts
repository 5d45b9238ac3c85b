/** Sealing a request to one node, and opening it there (Atoma node protocol, section 11). */
import { equalBytes } from '@noble/ciphers/utils.js';
import { blake2b256 } from '../chain/blake2b.ts';
import type { StackSmallId } from '../domain/chain-ids.ts';
import { createExchangeCipher, type ExchangeCipher, nonceBytes } from './cipher.ts';
import { type Envelope, plaintextBytesMax, printEnvelope } from './envelope.ts';
import {
  createKeyPair,
  deriveExchangeKey,
  eraseKeyPair,
  isCanonicalKey,
  type KeyPair,
  type RandomBytes,
  saltBytes,
} from './keys.ts';

export type RequestToSeal = {
  /** The OpenAI request; its hash is over exactly these bytes. */
  readonly plaintext: Uint8Array;
  readonly nodePublicKey: Uint8Array;
  readonly stackSmallId: StackSmallId;
  readonly modelName: string;
  readonly stream: boolean | undefined;
  readonly numComputeUnits: bigint | undefined;
};

export type SealedRequest = {
  readonly kind: 'sealed';
  readonly body: string;
  /** Opens the answer; erase it when the exchange ends. */
  readonly cipher: ExchangeCipher;
};

/** A node's key that gives no secret, since it is of low order or not in its one form. */
export type KeyWeak = { readonly kind: 'key-weak' };

/** Seals under a key pair, a salt and a nonce made for this request alone. */
export function sealRequest(
  request: RequestToSeal,
  randomBytes: RandomBytes,
): SealedRequest | KeyWeak {
  const { plaintext, nodePublicKey, ...clear } = request;
  if (plaintext.length > plaintextBytesMax) {
    throw new RangeError(`a request has at most ${plaintextBytesMax} bytes`);
  }
  if (!isCanonicalKey(nodePublicKey)) return { kind: 'key-weak' };
  const pair = createKeyPair(randomBytes);
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const key = deriveExchangeKey({ ...pair, peerPublicKey: nodePublicKey, salt });
  eraseKeyPair(pair);
  if (!key) return { kind: 'key-weak' };

  const cipher = createExchangeCipher(key, { requestNonce: nonce });
  const body = printEnvelope({
    ...clear,
    ciphertext: cipher.seal({ nonce, plaintext }),
    nonce,
    salt,
    clientPublicKey: pair.publicKey,
    nodePublicKey,
    plaintextHash: blake2b256(plaintext),
  });
  return { kind: 'sealed', body, cipher };
}

export type OpenedRequest = {
  readonly kind: 'opened';
  readonly plaintext: Uint8Array;
  /** Seals the answer; erase it when the exchange ends. */
  readonly cipher: ExchangeCipher;
};

export type RequestFault = {
  readonly kind:
    | KeyWeak['kind']
    /** Sealed to another key than the node's present one. */
    | 'key-unknown'
    | 'undecryptable'
    /** What was sealed is not what the signature is over. */
    | 'hash-differs';
};

/** Opens a request at the node to which it was sealed; the signature over its hash is checked before. */
export function openRequest(envelope: Envelope, own: KeyPair): OpenedRequest | RequestFault {
  const { nodePublicKey, clientPublicKey, salt, nonce, ciphertext, plaintextHash } = envelope;
  if (!equalBytes(nodePublicKey, own.publicKey)) return { kind: 'key-unknown' };
  const { secretKey } = own;
  const key = deriveExchangeKey({ secretKey, peerPublicKey: clientPublicKey, salt });
  if (!key) return { kind: 'key-weak' };

  const cipher = createExchangeCipher(key, { requestNonce: nonce });
  const plaintext = cipher.open({ nonce, ciphertext });
  if (plaintext && equalBytes(blake2b256(plaintext), plaintextHash)) {
    return { kind: 'opened', plaintext, cipher };
  }
  cipher.erase();
  return { kind: plaintext ? 'hash-differs' : 'undecryptable' };
}
