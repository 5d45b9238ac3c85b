/** How receipts, roots and their keys stand in Redis: strict JSON, and canonical text behind the few words that belong to it. */
import { z } from 'zod';
import type { Evidence } from '../domain/evidence.ts';
import type { Settled } from '../receipts/receipt.ts';
import { type SignedRoot, signedRoot } from '../receipts/root.ts';
import type { Batch, KeyRecord, Leaf, Sealed } from '../receipts/store.ts';
import { amount, maybe, toJson, usageRecord } from './codecs.ts';

const hashBytes = 32;
const count = z.int().min(0);
const text = z.string();

const evidence = z.strictObject({
  startedMs: count,
  reserved: amount,
  requestHash: text,
  forwardedHash: text,
  responseHash: text,
  responseBytes: count,
  nodeSignature: maybe(z.strictObject({ signerAddress: text, hash: text, signature: text })),
});

const settled = z.strictObject({ charged: amount, record: usageRecord, evidence });
const key = z.strictObject({ publicKey: text, fromMs: count });

export const evidenceToJson = (value: Evidence): string => toJson(value);

/** The settlement's script writes it. */
export const settledFromJson = (accountId: string, json: string): Settled => ({
  accountId,
  ...settled.parse(JSON.parse(json)),
});

/** The canonical text as it stands, behind its place: number of the root, index, hashes of the proof in base64. */
export const sealedToText = ({ text: canonical, rootNumber, index, proof }: Sealed): string =>
  `${rootNumber} ${index} ${Buffer.concat(proof).toString('base64')} ${canonical}`;

const sealedPattern = /^(\d{1,15}) (\d{1,10}) ([\w+/=]*) (\{.*)$/s;

/** What a hash of receipts holds under an id: sealed, or as it was settled. */
export function receiptFrom(accountId: string, value: string): Sealed | Settled {
  const [, rootNumber, index, proof = '', canonical] = sealedPattern.exec(value) ?? [];
  if (canonical === undefined) return settledFromJson(accountId, value);
  return {
    text: canonical,
    rootNumber: Number(rootNumber),
    index: Number(index),
    proof: hashesIn(Buffer.from(proof, 'base64')),
  };
}

const hashesIn = (bytes: Uint8Array): readonly Uint8Array[] =>
  Array.from({ length: bytes.length / hashBytes }, (_, index) =>
    bytes.subarray(index * hashBytes, (index + 1) * hashBytes),
  );

export const rootToJson = (value: SignedRoot): string => JSON.stringify(value);
export const rootFromJson = (json: string): SignedRoot => signedRoot.parse(JSON.parse(json));

/** One line for the root, then one for each leaf; JSON has no line breaks of its own. */
export const batchToText = ({ root, leaves }: Batch): string =>
  [
    rootToJson(root),
    ...leaves.map((leaf) => `${leaf.accountId} ${leaf.requestId} ${leaf.text}`),
  ].join('\n');

export function batchFromText(lines: string): Batch {
  const [root = '', ...leaves] = lines.split('\n');
  return { root: rootFromJson(root), leaves: leaves.map(leafFrom) };
}

function leafFrom(line: string): Leaf {
  const [, accountId = '', requestId = '', canonical] = /^(\S+) (\S+) (\{.*)$/s.exec(line) ?? [];
  if (canonical === undefined) throw new TypeError('expected a receipt in a batch');
  return { accountId, requestId, text: canonical };
}

export const keyToJson = ({ publicKey, fromMs }: Omit<KeyRecord, 'keyId' | 'untilMs'>): string =>
  toJson({ publicKey, fromMs });
export const keyFromJson = (json: string) => key.parse(JSON.parse(json));
