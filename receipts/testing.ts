/** For tests of receipts: keys, settled requests, sealed documents. */
import { randomUUID } from 'node:crypto';
import { keyOfSeed, type SigningKey } from '../chain/keystore.ts';
import { picoUsd } from '../domain/money.ts';
import { noUsage } from '../domain/usage.ts';
import type { PublishedKey, ReceiptDocument } from './document.ts';
import { growTree } from './merkle.ts';
import { toReceiptDocument } from './publishing.ts';
import { receiptLeafOf, receiptTextOf, type Settled, toReceiptBody } from './receipt.ts';
import { nextRoot, type SignedRoot } from './root.ts';
import { keyIdOf } from './signing.ts';

export const keyOf = (byte: number): SigningKey => keyOfSeed(Buffer.alloc(32, byte));

export const publishedOf = (key: SigningKey, until: string | null = null): PublishedKey => ({
  key_id: keyIdOf(key.publicKey),
  algo: 'ed25519',
  public_key: Buffer.from(key.publicKey).toString('hex'),
  from: '2026-01-01T00:00:00.000Z',
  until,
});

export const settledOf = (changes: Partial<Settled> = {}): Settled => ({
  accountId: 'acc_1',
  charged: picoUsd(1_234_567n),
  record: {
    timeMs: Date.UTC(2026, 5, 1, 12),
    requestId: randomUUID(),
    keyId: 'key_1',
    model: 'm',
    endpoint: 'chat',
    nodeId: 'node-1',
    priceVersion: 'p1',
    usage: { ...noUsage, inputTokens: 12, outputTokens: 34 },
    estimated: false,
    status: 200,
    ending: 'completed',
  },
  evidence: {
    startedMs: Date.UTC(2026, 5, 1, 11, 59),
    reserved: picoUsd(9_000_000n),
    requestHash: 'a'.repeat(64),
    forwardedHash: 'b'.repeat(64),
    responseHash: 'c'.repeat(64),
    responseBytes: 512,
    nodeSignature: { signerAddress: '0x1', hash: 'aGFzaA==', signature: 'c2ln' },
  },
  ...changes,
});

/** The documents of receipts that one root covers, and the root. */
export function sealedBy(
  settled: readonly Settled[],
  { key, last }: { readonly key: SigningKey; readonly last?: SignedRoot },
): { readonly root: SignedRoot; readonly documents: readonly ReceiptDocument[] } {
  const texts = settled.map((one) => receiptTextOf(toReceiptBody(one)));
  const tree = growTree(texts.map(receiptLeafOf));
  const sealedMs = Date.UTC(2026, 5, 1, 13);
  const root = nextRoot({ last, root: tree.root, size: texts.length, sealedMs, key });
  const documents = texts.map((text, index) => {
    const sealed = { text, rootNumber: root.number, index, proof: tree.proofs[index] ?? [] };
    return toReceiptDocument({ kind: 'sealed', sealed, root }, key);
  });
  return { root, documents };
}
