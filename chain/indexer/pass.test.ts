import { describe, expect, it } from 'vitest';
import { FullNodeError, type LedgerEvent, type ListingFrame } from '../full-node.ts';
import { readCheckpoints, readListing } from './pass.ts';

const range = { start: 10n, end: 20n };

function eventAt(checkpoint: bigint, transaction = 0n, event = 0): LedgerEvent {
  const position = { checkpoint, transaction, event };
  const transactionDigest = `tx-${checkpoint}-${transaction}`;
  return { type: 't', contents: new Uint8Array(), transactionDigest, position };
}

type Frame = ListingFrame<LedgerEvent>;

function frame(parts: Partial<Frame>): Frame {
  return {
    item: undefined,
    cursor: new Uint8Array(1),
    covered: undefined,
    end: undefined,
    ...parts,
  };
}

async function* stream(frames: readonly Frame[], failure?: FullNodeError) {
  yield* frames;
  if (failure) throw failure;
}

const listed = (...frames: Frame[]) => readListing(stream(frames), range);

describe('a listing', () => {
  it('gives its events, its last cursor, what is covered and its end', async () => {
    const pass = await listed(
      frame({ item: eventAt(11n), cursor: Uint8Array.of(1) }),
      frame({ covered: 15n, cursor: Uint8Array.of(2) }),
      frame({ item: eventAt(16n), cursor: Uint8Array.of(3) }),
      frame({ covered: 19n, cursor: Uint8Array.of(4), end: 'checkpoint-bound' }),
    );
    expect(pass).toEqual({
      items: [eventAt(11n), eventAt(16n)],
      cursor: Uint8Array.of(4),
      covered: 19n,
      end: 'checkpoint-bound',
      failure: undefined,
    });
  });

  it('that breaks is a valid prefix', async () => {
    const failure = new FullNodeError('unavailable', 'gone');
    const frames = [frame({ item: eventAt(11n), covered: 10n })];
    const pass = await readListing(stream(frames, failure), range);
    expect(pass).toMatchObject({ items: [eventAt(11n)], covered: 10n, end: undefined, failure });
  });

  it('that stops without an end has failed', async () => {
    const pass = await listed(frame({ covered: 12n }));
    expect(pass).toMatchObject({ covered: 12n, failure: { kind: 'unavailable' } });
  });

  it.each([
    ['events out of order', [frame({ item: eventAt(12n) }), frame({ item: eventAt(11n) })]],
    [
      'transactions out of order',
      [frame({ item: eventAt(12n, 3n) }), frame({ item: eventAt(12n, 1n) })],
    ],
    ['an event twice', [frame({ item: eventAt(12n) }), frame({ item: eventAt(12n) })]],
    ['an event before the start', [frame({ item: eventAt(9n) })]],
    ['an event behind the end', [frame({ item: eventAt(20n) })]],
    ['an event of a covered checkpoint', [frame({ covered: 12n }), frame({ item: eventAt(12n) })]],
    ['coverage that falls', [frame({ covered: 12n }), frame({ covered: 11n })]],
    ['coverage beyond the end', [frame({ covered: 20n })]],
    ['a frame after its end', [frame({ end: 'scan-limit' }), frame({ end: 'checkpoint-bound' })]],
  ])('is not believed with %s', async (_, frames) => {
    expect(await listed(...frames)).toMatchObject({ failure: { kind: 'protocol' } });
  });

  it('throws what is no failure of the node', async () => {
    const bug = async function* () {
      yield frame({});
      throw new TypeError('bug');
    };
    await expect(readListing(bug(), range)).rejects.toThrow(TypeError);
  });
});

describe('reading checkpoints', () => {
  it('takes them in order, whichever comes first', async () => {
    const read = async (height: bigint) => {
      await new Promise((resolve) => setTimeout(resolve, Number(20n - height)));
      return [eventAt(height)];
    };
    const pass = await readCheckpoints(read, range);
    expect(pass.items.map(({ position }) => position.checkpoint)).toEqual(
      Array.from({ length: 10 }, (_, index) => 10n + BigInt(index)),
    );
    expect(pass).toMatchObject({ covered: 19n, end: 'checkpoint-bound', cursor: undefined });
  });

  it('ends before the first that cannot be had', async () => {
    const read = async (height: bigint) => {
      if (height === 13n) throw new FullNodeError('not-found', 'gone');
      return [eventAt(height)];
    };
    const pass = await readCheckpoints(read, range);
    expect(pass).toMatchObject({ covered: 12n, end: undefined, failure: { kind: 'not-found' } });
    expect(pass.items).toHaveLength(3);
  });

  it('reads so many at most', async () => {
    const pass = await readCheckpoints(async () => [], { start: 1n, end: 1000n });
    expect(pass).toMatchObject({ covered: 64n, end: 'scan-limit' });
  });
});
