/**
 * Positions in the ledger: checkpoint, transaction and event as one number that sorts as the ledger does, and the
 * opaque cursors made of them.
 */
import { z } from 'zod';
import { parseJson } from '../../domain/json.ts';
import { statusError } from './serving.ts';

const indexBits = 32n;
const indexMax = (1n << indexBits) - 1n;
const checkpointShift = indexBits * 2n;

/** An item's place: an event's, or with the largest event index that of a whole transaction. */
export function positionOf(
  checkpoint: bigint,
  transaction: bigint | number = indexMax,
  event: bigint | number = indexMax,
): bigint {
  return (checkpoint << checkpointShift) | (BigInt(transaction) << indexBits) | BigInt(event);
}

/** The first place in a checkpoint. */
export const startOf = (checkpoint: bigint): bigint => checkpoint << checkpointShift;

/** The last place in a checkpoint, past everything in it. */
export const endOf = (checkpoint: bigint): bigint => startOf(checkpoint + 1n) - 1n;

/** The checkpoint that a position lies in. */
export const checkpointOf = (position: bigint): bigint => position >> checkpointShift;

const cursorSchema = z.strictObject({
  provider: z.string(),
  position: z.string().regex(/^-?\d+$/),
});

/** A cursor means something to the provider that gave it only. */
export const writeCursor = (provider: string, position: bigint): Uint8Array =>
  Buffer.from(JSON.stringify({ provider, position: String(position) }));

/** Refuses what this provider has not given. */
export function readCursor(provider: string, cursor: Uint8Array): bigint {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(cursor).toString()));
  if (parsed.data?.provider !== provider) throw statusError('INVALID_ARGUMENT', 'invalid cursor');
  return BigInt(parsed.data.position);
}
