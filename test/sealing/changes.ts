/** What a middleman can do to the bytes of an answer or a request, as generated cases. */
import fc from 'fast-check';

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const place = (share: number, length: number) => Math.floor(share * length);

type Change = (bytes: Buffer) => Buffer;

export const flip = fc.tuple(at, fc.nat(7)).map(
  ([share, bit]): Change =>
    (bytes) => {
      const changed = Buffer.from(bytes);
      const index = place(share, bytes.length);
      changed[index] = (changed[index] ?? 0) ^ (1 << bit);
      return changed;
    },
);
export const truncate = at.map(
  (share): Change =>
    (bytes) =>
      bytes.subarray(0, place(share, bytes.length)),
);
export const cutOut = fc.tuple(at, at).map(
  ([from, length]): Change =>
    (bytes) => {
      const start = place(from, bytes.length);
      const end = start + 1 + place(length, bytes.length - start);
      return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
    },
);

/** A change of the list of events. */
export const events =
  (change: (list: string[]) => string[]): Change =>
  (bytes) => {
    const list = bytes
      .toString()
      .split('\n\n')
      .filter((event) => event.startsWith('data:'));
    return Buffer.from(
      change(list)
        .map((event) => `${event}\n\n`)
        .join(''),
    );
  };
export const drop = fc
  .tuple(at, fc.integer({ min: 1, max: 4 }))
  .map(([share, count]) => events((list) => list.toSpliced(place(share, list.length), count)));
export const repeat = fc
  .tuple(at, at)
  .map(([from, to]) =>
    events((list) =>
      list.toSpliced(place(to, list.length), 0, list[place(from, list.length)] ?? ''),
    ),
  );
export const move = fc.tuple(at, at).map(([from, to]) =>
  events((list) => {
    const index = place(from, list.length);
    return list.toSpliced(index, 1).toSpliced(place(to, list.length), 0, list[index] ?? '');
  }),
);
export const beginLate = fc.nat(6).map((count) => events((list) => list.slice(count)));
