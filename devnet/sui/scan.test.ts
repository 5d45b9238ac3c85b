import { GrpcTypes } from '@mysten/sui/grpc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointOf, endOf, positionOf, startOf } from './ledger-position.ts';
import { type ScanFrame, type ScanItem, type ScanOptions, scan } from './scan.ts';

const { QueryEndReason: Reason } = GrpcTypes;

type Ledger = readonly (readonly ScanItem<string>[])[];

/** A ledger of checkpoints with so many events each. */
function ledgerOf(sizes: readonly number[]): Ledger {
  return sizes.map((size, checkpoint) =>
    Array.from({ length: size }, (_, index) => ({
      position: positionOf(BigInt(checkpoint), 0, index),
      item: `${checkpoint}.${index}`,
    })),
  );
}

const open = {
  startCheckpoint: undefined,
  endCheckpoint: undefined,
  after: undefined,
  before: undefined,
  isDescending: false,
  itemsMax: 50,
  checkpointsMax: 1000,
  lowest: 0n,
};

const run = (ledger: Ledger, options: Partial<ScanOptions<string>> = {}) => [
  ...scan({
    ...open,
    tip: BigInt(ledger.length) - 1n,
    itemsAt: (at) => ledger[Number(at)] ?? [],
    ...options,
  }),
];

const itemsOf = (frames: readonly ScanFrame<string>[]) => frames.flatMap(({ item }) => item ?? []);

describe('a scan', () => {
  const ledger = ledgerOf([1, 2, 0, 1]);

  it('ends at the tip, having covered it', () => {
    const frames = run(ledger);
    expect(itemsOf(frames)).toEqual(['0.0', '1.0', '1.1', '3.0']);
    expect(frames.at(-1)).toEqual({
      item: undefined,
      cursor: endOf(3n),
      covered: 3n,
      end: Reason.LEDGER_TIP,
    });
  });

  it('ends at an end that the ledger has reached', () => {
    const frames = run(ledger, { startCheckpoint: 1n, endCheckpoint: 4n });
    expect(itemsOf(frames)).toEqual(['1.0', '1.1', '3.0']);
    expect(frames.at(-1)).toMatchObject({ covered: 3n, end: Reason.CHECKPOINT_BOUND });
  });

  it('ends at the tip where the end lies beyond it', () => {
    expect(run(ledger, { endCheckpoint: 9n }).at(-1)?.end).toBe(Reason.LEDGER_TIP);
  });

  it('puts the end on the item that fills it', () => {
    const frames = run(ledger, { itemsMax: 2 });
    expect(frames.at(-1)).toEqual({
      item: '1.0',
      cursor: positionOf(1n, 0, 0),
      covered: 0n,
      end: Reason.ITEM_LIMIT,
    });
  });

  it('stops after its share of checkpoints, without an item', () => {
    const frames = run(ledger, { checkpointsMax: 2 });
    expect(frames.at(-1)).toMatchObject({ item: undefined, covered: 1n, end: Reason.SCAN_LIMIT });
  });

  it('claims nothing of the checkpoint that a cursor cuts', () => {
    const frames = run(ledger, { before: positionOf(1n, 0, 1) });
    expect(itemsOf(frames)).toEqual(['0.0', '1.0']);
    expect(frames.at(-1)).toMatchObject({ covered: 0n, end: Reason.CURSOR_BOUND });
  });

  it('claims nothing before the first boundary', () => {
    const [first] = run(ledger, { after: positionOf(1n, 0, 0) });
    expect(first).toMatchObject({ item: '1.1', covered: undefined });
  });

  it('reads downwards too, and bounds stay where they are', () => {
    const frames = run(ledger, { isDescending: true, after: positionOf(0n, 0, 0) });
    expect(itemsOf(frames)).toEqual(['3.0', '1.1', '1.0']);
    expect(frames.at(-1)).toMatchObject({ end: Reason.CURSOR_BOUND, covered: 1n });
  });

  it('of a range that has not come yet covers nothing', () => {
    const [only] = run(ledger, { startCheckpoint: 7n });
    expect(only).toMatchObject({ covered: undefined, end: Reason.LEDGER_TIP });
  });
});

describe('any way of paging', () => {
  const sizes = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 12 });
  const limits = fc.array(fc.record({ items: fc.integer({ min: 1, max: 5 }), cut: fc.nat(6) }), {
    minLength: 400,
    maxLength: 400,
  });

  type Page = { readonly items: number; readonly cut: number };

  /** Reads page by page to the end; a stream may break off anywhere, and what has arrived is a valid prefix. */
  function readAll(ledger: Ledger, pages: readonly Page[], isDescending: boolean): string[] {
    const seen: string[] = [];
    let resume: Partial<ScanOptions<string>> = {};
    for (const { items: itemsMax, cut } of pages) {
      const options = { isDescending, itemsMax, checkpointsMax: 3, ...resume };
      const frames = run(ledger, options).slice(0, cut + 1);
      seen.push(...itemsOf(frames));
      const { end, cursor = 0n } = frames.at(-1) ?? {};
      if (end === Reason.LEDGER_TIP || end === Reason.CHECKPOINT_BOUND) break;
      resume = isDescending ? { before: cursor } : { after: cursor };
    }
    return seen;
  }

  it.each([false, true])('gives each item once, in order (descending: %s)', (isDescending) => {
    fc.assert(
      fc.property(sizes, limits, (ledgerSizes, pages) => {
        const ledger = ledgerOf(ledgerSizes);
        const all = ledger.flat().map(({ item }) => item);
        const expected = isDescending ? all.toReversed() : all;
        expect(readAll(ledger, pages, isDescending)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('covers only what it has sent', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 5 }), (ledgerSizes, itemsMax) => {
        const ledger = ledgerOf(ledgerSizes);
        const frames = run(ledger, { itemsMax });
        for (const [index, { covered, cursor }] of frames.entries()) {
          const sent = itemsOf(frames.slice(0, index + 1)).length;
          const due = ledger.slice(0, Number(covered ?? -1n) + 1).flat().length;
          expect(sent).toBeGreaterThanOrEqual(due);
          expect(checkpointOf(cursor)).toBeGreaterThanOrEqual(covered ?? 0n);
          expect(cursor).toBeLessThan(startOf(BigInt(ledger.length)));
        }
      }),
    );
  });
});
