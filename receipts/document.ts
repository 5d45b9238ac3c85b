/** What the gateway publishes about receipts: a receipt with its proof, the keys, the roots. */
import { z } from 'zod';
import { digestText } from './digest.ts';
import { receiptBody } from './receipt.ts';
import { signedRoot } from './root.ts';
import { signatureText } from './signing.ts';

/** A tree has at most 2^32 leaves here, and each level one hash. */
const proofMax = 32;

export const receiptDocument = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('pending'),
    receipt: z.strictObject({ ...receiptBody.shape, key_id: z.string(), signature: signatureText }),
    inclusion: z.null(),
  }),
  z.strictObject({
    status: z.literal('sealed'),
    receipt: z.strictObject({ ...receiptBody.shape, key_id: z.string(), signature: signatureText }),
    inclusion: z.strictObject({
      index: z.int().min(0),
      proof: z.array(digestText).max(proofMax),
      root: signedRoot,
    }),
  }),
]);

export type ReceiptDocument = z.infer<typeof receiptDocument>;

const publishedKey = z.strictObject({
  key_id: z.string(),
  algo: z.literal('ed25519'),
  public_key: z.string().regex(/^[0-9a-f]{64}$/),
  from: z.iso.datetime(),
  /** When another key took over; null while it signs. */
  until: z.iso.datetime().nullable(),
});

export const keysDocument = z.strictObject({
  api_version: z.literal('atoma-receipts/1'),
  receipt_signing_keys: z.array(publishedKey),
});

export type PublishedKey = z.infer<typeof publishedKey>;
export type KeysDocument = z.infer<typeof keysDocument>;
