/**
 * Splits a byte stream into server-sent events (WHATWG HTML 9.2.6) without copying what lies inside one chunk.
 * The raw bytes of all events and of the rest, joined, are the stream itself.
 */
export type SseEvent = {
  /** Every byte of the event with the blank line that ends it. */
  readonly raw: Uint8Array;
  /** The `data` lines joined by newlines; nothing where there is none, as in a comment. */
  data(): string | undefined;
};

export type SseSplit = {
  readonly events: readonly SseEvent[];
  /** True where an event is larger than the limit; the parser must then not be used again. */
  readonly oversized: boolean;
};

const lineFeed = 10;
const carriageReturn = 13;
const heldBytesMin = 4096;

/** A parser for one stream; `push` returns the events that the chunk completes. */
export function createSseParser({ eventBytesMax }: { readonly eventBytesMax: number }) {
  const scanner = createBlankLineScanner();
  let held = new Uint8Array(0);
  let heldBytes = 0;
  let isFirst = true;

  function hold(part: Uint8Array): void {
    const bytes = heldBytes + part.length;
    if (bytes > held.length) {
      // Doubling keeps a stream of single bytes linear.
      const grown = new Uint8Array(Math.max(bytes, held.length * 2, heldBytesMin));
      grown.set(held.subarray(0, heldBytes));
      held = grown;
    }
    held.set(part, heldBytes);
    heldBytes = bytes;
  }

  function complete(part: Uint8Array): Uint8Array {
    if (heldBytes === 0) return part;
    hold(part);
    const raw = held.subarray(0, heldBytes);
    held = new Uint8Array(0);
    heldBytes = 0;
    return raw;
  }

  function push(chunk: Uint8Array): SseSplit {
    const events: SseEvent[] = [];
    let start = 0;
    for (let end = scanner.next(chunk, 0); end !== undefined; end = scanner.next(chunk, end)) {
      if (heldBytes + end - start > eventBytesMax) return { events, oversized: true };
      events.push(createEvent(complete(chunk.subarray(start, end)), isFirst));
      isFirst = false;
      start = end;
    }
    const rest = chunk.length - start;
    if (heldBytes + rest > eventBytesMax) return { events, oversized: true };
    if (rest > 0) hold(chunk.subarray(start));
    return { events, oversized: false };
  }

  return {
    push,
    /** The bytes after the last complete event. */
    rest: (): Uint8Array => held.subarray(0, heldBytes),
  };
}

/** Finds where events end, across chunks: after each blank line, whichever line ends the stream uses. */
function createBlankLineScanner() {
  let isLineEmpty = true;
  let isAfterReturn = false;

  /** The offset behind the next blank line at or after `from`. */
  function next(chunk: Uint8Array, from: number): number | undefined {
    for (let index = from; index < chunk.length; index += 1) {
      if (isBlankLineEnd(chunk[index])) return includePaired(chunk, index);
    }
    return undefined;
  }

  function isBlankLineEnd(byte: number | undefined): boolean {
    // The second half of a CRLF ends no line of its own.
    const isPaired = byte === lineFeed && isAfterReturn;
    isAfterReturn = byte === carriageReturn;
    if (isPaired) return false;
    const isEnd = byte === lineFeed || byte === carriageReturn;
    const isBlank = isEnd && isLineEmpty;
    isLineEmpty = isEnd;
    return isBlank;
  }

  function includePaired(chunk: Uint8Array, index: number): number {
    if (!isAfterReturn || chunk[index + 1] !== lineFeed) return index + 1;
    isAfterReturn = false;
    return index + 2;
  }

  return { next };
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function createEvent(raw: Uint8Array, isFirst: boolean): SseEvent {
  let data: { readonly text: string | undefined } | undefined;
  return {
    raw,
    data() {
      data ??= { text: dataOf(decoder.decode(raw), isFirst) };
      return data.text;
    },
  };
}

function dataOf(text: string, isFirst: boolean): string | undefined {
  const lines: string[] = [];
  // A byte order mark may stand at the very beginning of a stream only.
  for (const line of (isFirst ? text.replace(/^\uFEFF/, '') : text).split(/\r\n|\r|\n/)) {
    if (line === 'data') lines.push('');
    else if (line.startsWith('data: ')) lines.push(line.slice('data: '.length));
    else if (line.startsWith('data:')) lines.push(line.slice('data:'.length));
  }
  return lines.length > 0 ? lines.join('\n') : undefined;
}
