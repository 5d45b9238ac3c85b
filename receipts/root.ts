/** A signed root: one tree over all receipts of an interval, chained to the root before it. */
import { z } from 'zod';
import type { SigningKey } from '../chain/keystore.ts';
import { canonicalText } from './canonical.ts';
import { digestFromHex, digestOf, digestText, toDigest } from './digest.ts';
import { type Signed, signatureText, signBody } from './signing.ts';

const rootVersion = 'atoma-receipt-root/1';

const rootBody = z.strictObject({
  api_version: z.literal(rootVersion),
  /** From 1, without a gap. */
  number: z.int().min(1),
  /** How many receipts are in it. */
  size: z
    .int()
    .min(1)
    .max(2 ** 31),
  root: digestText,
  /** The hash of the root before it, and zeros before the first. */
  previous: digestText,
  sealed_at: z.iso.datetime(),
});

export const signedRoot = z.strictObject({
  ...rootBody.shape,
  key_id: z.string(),
  signature: signatureText,
});

export type SignedRoot = Signed<z.infer<typeof rootBody>>;

const beforeFirst = digestFromHex('0'.repeat(64));

/** The hash by which the next root names this one. */
export function rootHashOf({ signature: _, ...named }: SignedRoot): string {
  return digestOf(canonicalText(named));
}

/** The root that follows `last`, and is never dated before it: another machine's clock may have dated that one. */
export function nextRoot(options: {
  readonly last: SignedRoot | undefined;
  readonly root: Uint8Array;
  readonly size: number;
  readonly sealedMs: number;
  readonly key: SigningKey;
}): SignedRoot {
  const { last, root, size, sealedMs, key } = options;
  return signBody(
    {
      api_version: rootVersion,
      number: (last?.number ?? 0) + 1,
      size,
      root: toDigest(root),
      previous: last ? rootHashOf(last) : beforeFirst,
      sealed_at: new Date(Math.max(sealedMs, last ? Date.parse(last.sealed_at) : 0)).toISOString(),
    } as const,
    key,
  );
}

/** Whether `next` was made after `last` and names it; without `last`, whether it is the first. */
export function follows(next: SignedRoot, last: SignedRoot | undefined): boolean {
  return (
    next.number === (last?.number ?? 0) + 1 &&
    next.previous === (last ? rootHashOf(last) : beforeFirst)
  );
}
