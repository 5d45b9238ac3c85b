/** Signs transactions of Sui: over the BLAKE2b-256 of the intent and the bytes, as wallets do. */
import { blake2b256 } from './blake2b.ts';
import type { SigningKey } from './keystore.ts';
import { signHash } from './request-signature.ts';

/** Scope transaction data, version 0, application Sui. */
const transactionIntent = Buffer.of(0, 0, 0);

/** The signature in base64: flag, signature and public key. */
export function signTransaction(key: SigningKey, bytes: Uint8Array): string {
  return signHash(key, blake2b256(Buffer.concat([transactionIntent, bytes])));
}
