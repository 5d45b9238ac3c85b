/**
 * The receipt of one settled request. Its shape follows the receipts of confidential clouds (`aci/1`) where it says the
 * same; it names no enclave, because it is made in none.
 */
import { z } from 'zod';
import type { SigningKey } from '../chain/keystore.ts';
import type { Evidence } from '../domain/evidence.ts';
import { formatUsd, type PicoUsd } from '../domain/money.ts';
import type { UsageRecord } from '../domain/reservation.ts';
import { canonicalText, type Json } from './canonical.ts';
import { digestFromHex, digestText } from './digest.ts';
import { leafHashOf } from './merkle.ts';
import { type Signed, signBody } from './signing.ts';

const receiptVersion = 'atoma-receipt/1';

/** A request that the ledger has settled, as it stands there. */
export type Settled = {
  readonly accountId: string;
  readonly charged: PicoUsd;
  readonly record: UsageRecord;
  readonly evidence: Evidence;
};

const text = z.string();
const count = z.int().min(0);
const usd = z.string().regex(/^\d+(\.\d+)?$/);

const event = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('request.received'), at: z.iso.datetime(), hash: digestText }),
  z.strictObject({ type: z.literal('payment.held'), usd, price_version: text }),
  z.strictObject({ type: z.literal('request.forwarded'), node: text, hash: digestText }),
  z.strictObject({
    type: z.literal('response.returned'),
    at: z.iso.datetime(),
    hash: digestText,
    bytes: count,
    complete: z.boolean(),
  }),
  z.strictObject({
    type: z.literal('response.signed'),
    signer: text,
    blake2b256: text,
    signature: text,
  }),
  z.strictObject({
    type: z.literal('usage.metered'),
    input_tokens: count,
    cached_input_tokens: count,
    output_tokens: count,
    images: count,
    image_pixels: count,
    estimated: z.boolean(),
  }),
  z.strictObject({ type: z.literal('payment.settled'), cost_usd: usd, price_version: text }),
]);

export const receiptBody = z.strictObject({
  api_version: z.literal(receiptVersion),
  receipt_id: text,
  account_id: text,
  api_key_id: text,
  model: text,
  endpoint: text,
  node: text,
  status: count,
  ending: text,
  served_at: z.iso.datetime(),
  event_log: z.array(event),
});

/** What a receipt says, before anybody signs it. */
export type ReceiptBody = z.infer<typeof receiptBody>;
export type Receipt = Signed<ReceiptBody>;

const timeOf = (ms: number) => new Date(ms).toISOString();

/** The one receipt of a settled request. */
export function toReceiptBody(settled: Settled): ReceiptBody {
  const { accountId, record } = settled;
  return {
    api_version: receiptVersion,
    receipt_id: record.requestId,
    account_id: accountId,
    api_key_id: record.keyId,
    model: record.model,
    endpoint: record.endpoint,
    node: record.nodeId,
    status: record.status,
    ending: record.ending,
    served_at: timeOf(record.timeMs),
    event_log: eventsOf(settled),
  };
}

function eventsOf({ charged, record, evidence }: Settled): ReceiptBody['event_log'] {
  const { usage, priceVersion: price_version, nodeId: node } = record;
  const { nodeSignature } = evidence;
  return [
    {
      type: 'request.received',
      at: timeOf(evidence.startedMs),
      hash: digestFromHex(evidence.requestHash),
    },
    { type: 'payment.held', usd: formatUsd(evidence.reserved), price_version },
    { type: 'request.forwarded', node, hash: digestFromHex(evidence.forwardedHash) },
    ...(nodeSignature ? [toSignedEvent(nodeSignature)] : []),
    {
      type: 'response.returned',
      at: timeOf(record.timeMs),
      hash: digestFromHex(evidence.responseHash),
      bytes: evidence.responseBytes,
      complete: record.ending === 'completed',
    },
    {
      type: 'usage.metered',
      input_tokens: usage.inputTokens,
      cached_input_tokens: usage.cachedInputTokens,
      output_tokens: usage.outputTokens,
      images: usage.images,
      image_pixels: usage.imagePixels,
      estimated: record.estimated,
    },
    { type: 'payment.settled', cost_usd: formatUsd(charged), price_version },
  ];
}

const toSignedEvent = ({
  signerAddress,
  hash,
  signature,
}: NonNullable<Evidence['nodeSignature']>) =>
  ({ type: 'response.signed', signer: signerAddress, blake2b256: hash, signature }) as const;

/** The bytes that the tree's leaf is made of: who signs a receipt, and when, changes nothing about it. */
export const receiptTextOf = (body: ReceiptBody): string => canonicalText(body);

/** The leaf of a receipt's canonical text. */
export const receiptLeafOf = (canonical: string): Uint8Array => leafHashOf(Buffer.from(canonical));

export const signReceipt = (body: ReceiptBody, key: SigningKey): Receipt =>
  signBody<ReceiptBody & { readonly [name: string]: Json }>(body, key);
