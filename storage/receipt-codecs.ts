/** How receipts, roots and their keys stand in Redis: JSON, strict. */
import { z } from 'zod';
import type { Evidence } from '../domain/evidence.ts';
import type { Settled } from '../receipts/receipt.ts';
import { signedRoot } from '../receipts/root.ts';
import type { Batch, KeyRecord, Sealed } from '../receipts/store.ts';
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
const sealed = z.strictObject({
  text,
  rootNumber: count,
  index: count,
  /** The hashes one after the other, in base64. */
  proof: z.base64(),
});
const batch = z.strictObject({
  root: signedRoot,
  leaves: z.array(z.strictObject({ accountId: text, requestId: text, text })),
});
const key = z.strictObject({ publicKey: text, fromMs: count });

export const evidenceToJson = (value: Evidence): string => toJson(value);

/** The settlement's script writes it. */
export const settledFromJson = (accountId: string, json: string): Settled => ({
  accountId,
  ...settled.parse(JSON.parse(json)),
});

export const sealedToJson = ({ proof, ...rest }: Sealed): string =>
  toJson({ ...rest, proof: Buffer.concat(proof).toString('base64') });

/** What a hash of receipts holds under an id: sealed, or as it was settled. */
export function receiptFromJson(accountId: string, json: string): Sealed | Settled {
  const value: unknown = JSON.parse(json);
  const read = sealed.safeParse(value);
  if (!read.success) return { accountId, ...settled.parse(value) };
  const { proof, ...rest } = read.data;
  return { ...rest, proof: hashesIn(Buffer.from(proof, 'base64')) };
}

const hashesIn = (bytes: Uint8Array): readonly Uint8Array[] =>
  Array.from({ length: bytes.length / hashBytes }, (_, index) =>
    bytes.subarray(index * hashBytes, (index + 1) * hashBytes),
  );

export const rootToJson = (value: z.infer<typeof signedRoot>): string => toJson(value);
export const rootFromJson = (json: string) => signedRoot.parse(JSON.parse(json));

export const batchToJson = (value: Batch): string => toJson(value);
export const batchFromJson = (json: string): Batch => batch.parse(JSON.parse(json));

export const keyToJson = ({ publicKey, fromMs }: Omit<KeyRecord, 'keyId' | 'untilMs'>): string =>
  toJson({ publicKey, fromMs });
export const keyFromJson = (json: string) => key.parse(JSON.parse(json));
