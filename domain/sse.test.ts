import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSseParser } from './sse.ts';

const encoder = new TextEncoder();

/** The slow readable twin: it sees the whole text and follows the specification line by line. */
function parseWhole(text: string): (string | undefined)[] {
  const lines = text
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\n')
    .replace(/^\uFEFF/, '')
    .split('\n')
    .slice(0, -1);
  const events: (string | undefined)[] = [];
  let data: string[] = [];
  for (const line of lines) {
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') data.push(value);
    if (line !== '') continue;
    events.push(data.length > 0 ? data.join('\n') : undefined);
    data = [];
  }
  return events;
}

function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...cuts.map((place) => place % (bytes.length + 1)), 0, bytes.length].sort(
    (left, right) => left - right,
  );
  return places.slice(1).map((place, index) => bytes.slice(places[index], place));
}

function parse(chunks: readonly Uint8Array[]) {
  const parser = createSseParser({ eventBytesMax: 10_000 });
  const events = chunks.flatMap((chunk) => parser.push(chunk).events);
  const bytes = [...events.flatMap((event) => [...event.raw]), ...parser.rest()];
  return { data: events.map((event) => event.data()), bytes };
}

const streams = fc
  .array(
    fc.constantFrom('data: ', 'data:', 'data', ': c', 'event: e', 'é€😀', '\n', '\r', '\r\n', 'x'),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

describe('an SSE parser', () => {
  it('finds what its slow twin finds, however the bytes are cut, and loses none of them', () => {
    fc.assert(
      fc.property(streams, fc.array(fc.nat({ max: 200 }), { maxLength: 12 }), (text, cuts) => {
        const bytes = encoder.encode(text);
        const found = parse(cut(bytes, cuts));
        expect(found.data).toEqual(parseWhole(text));
        expect(found.bytes).toEqual([...bytes]);
      }),
    );
  });

  it('does not copy an event that lies inside a chunk', () => {
    const chunk = encoder.encode('data: 1\n\ndata: 2\n\n');
    const { events } = createSseParser({ eventBytesMax: 100 }).push(chunk);
    expect(events.map((event) => event.raw.buffer)).toEqual([chunk.buffer, chunk.buffer]);
  });

  it('stops at an event above its limit, complete or not', () => {
    const half = createSseParser({ eventBytesMax: 8 });
    expect(half.push(encoder.encode('data: 1')).oversized).toBe(false);
    expect(half.push(encoder.encode('234')).oversized).toBe(true);
    const whole = createSseParser({ eventBytesMax: 9 }).push(
      encoder.encode('data: 1\n\ndata: 23456\n\n'),
    );
    expect(whole.events.length).toBe(1);
    expect(whole.oversized).toBe(true);
  });
});
