/** What the gateway answers about receipts, in the words of what it publishes. */
import type { SigningKey } from '../chain/keystore.ts';
import { toDigest } from './digest.ts';
import type { KeysDocument, ReceiptDocument } from './document.ts';
import { receiptBody, signReceipt, toReceiptBody } from './receipt.ts';
import type { KeptReceipt, KeyRecord } from './store.ts';

/** Signed when it is asked for: the same key gives the same signature, and most receipts are never asked for. */
export function toReceiptDocument(kept: KeptReceipt, key: SigningKey): ReceiptDocument {
  if (kept.kind === 'pending') {
    const receipt = signReceipt(toReceiptBody(kept.settled), key);
    return { status: 'pending', receipt, inclusion: null };
  }
  const { text, index, proof } = kept.sealed;
  const receipt = signReceipt(receiptBody.parse(JSON.parse(text)), key);
  return {
    status: 'sealed',
    receipt,
    inclusion: { index, proof: proof.map(toDigest), root: kept.root },
  };
}

/** Oldest first. */
export function toKeysDocument(keys: readonly KeyRecord[]): KeysDocument {
  const timeOf = (ms: number) => new Date(ms).toISOString();
  return {
    api_version: 'atoma-receipts/1',
    receipt_signing_keys: keys
      .toSorted((left, right) => left.fromMs - right.fromMs)
      .map(({ keyId, publicKey, fromMs, untilMs }) => ({
        key_id: keyId,
        algo: 'ed25519',
        public_key: publicKey,
        from: timeOf(fromMs),
        until: untilMs === undefined ? null : timeOf(untilMs),
      })),
  };
}
