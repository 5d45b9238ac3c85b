/**
 * Reads a JSON answer while it passes in pieces of any size: its usage, how many entries its list holds, and where it ends. Nothing
 * is kept but the usage, so that an answer may be of any length. What is not JSON passes; its reader will notice.
 */
import {
  backslash,
  closeBrace,
  closeBracket,
  colon,
  comma,
  isSpace,
  openBrace,
  openBracket,
  quote,
} from './json-bytes.ts';

export type AnswerSummary = {
  /** Whether the object was closed, and only white space followed. */
  readonly isWhole: boolean;
  /** The JSON text of the member `usage`; nothing where there is none, or it is too long to be one. */
  readonly usageText: string | undefined;
  /** Objects in the list `data`. */
  readonly items: number;
  readonly bytes: number;
};

/** 1 for the bytes that mean something outside strings: a list of a million numbers is passed over quickly. */
const signs = new Uint8Array(256);
for (const byte of [quote, comma, colon, openBrace, openBracket, closeBrace, closeBracket]) {
  signs[byte] = 1;
}

const keyBytesMax = 64;
const usageBytesMax = 16_384;

/** A scan of one answer. */
export function createAnswerScan() {
  const strings = createStringScan();
  const outline = createOutline();
  let bytes = 0;
  let isTrailed = false;

  function pushString(chunk: Uint8Array, at: number): number {
    const end = strings.end(chunk, at);
    const next = end === undefined ? chunk.length : end + 1;
    outline.text(chunk.subarray(at, end ?? next), chunk.subarray(at, next));
    return next;
  }

  /** Up to the next sign, and the sign itself. */
  function pushPlain(chunk: Uint8Array, at: number): number {
    let end = at;
    while (end < chunk.length && signs[chunk[end] ?? 0] === 0) end += 1;
    if (end > at) outline.plain(chunk.subarray(at, end));
    if (end === chunk.length) return end;
    if (chunk[end] === quote) strings.start();
    outline.sign(chunk.subarray(end, end + 1));
    return end + 1;
  }

  return {
    /** The offset of the brace that closes the answer, where this piece holds it. */
    push(chunk: Uint8Array): number | undefined {
      bytes += chunk.length;
      const wasClosed = outline.isClosed();
      let at = 0;
      while (at < chunk.length && !outline.isClosed()) {
        at = strings.isOpen() ? pushString(chunk, at) : pushPlain(chunk, at);
      }
      if (outline.isClosed() && !isBlank(chunk, at)) isTrailed = true;
      return outline.isClosed() && !wasClosed ? at - 1 : undefined;
    },
    summary: (): AnswerSummary => ({
      isWhole: outline.isClosed() && !isTrailed,
      usageText: outline.usageText(),
      items: outline.items(),
      bytes,
    }),
  };
}

/** Follows the nesting, and keeps what is wanted of the members of the top object. */
function createOutline() {
  const key = createCapture(keyBytesMax);
  const usage = createCapture(usageBytesMax);
  let depth = 0;
  let isKeyNext = false;
  let isKeyOpen = false;
  let member = '';
  let usageText: string | undefined;
  let items = 0;
  let isClosed = false;

  function open(byte: number): void {
    depth += 1;
    if (depth === 1) isKeyNext = true;
    if (depth === 3 && byte === openBrace && member === 'data') items += 1;
  }

  function close(): void {
    if (depth === 1) endMember();
    depth -= 1;
    if (depth === 0) isClosed = true;
  }

  function endMember(): void {
    if (member === 'usage') usageText = usage.text();
    member = '';
  }

  function separate(byte: number): void {
    if (byte === comma) {
      endMember();
      isKeyNext = true;
    } else if (member === '') {
      member = key.text() ?? '';
      usage.clear();
    }
  }

  function openString(): void {
    isKeyOpen = depth === 1 && isKeyNext;
    if (!isKeyOpen) return;
    isKeyNext = false;
    key.clear();
  }

  function structure(byte: number | undefined): void {
    if (byte === quote) openString();
    else if (byte === openBrace || byte === openBracket) open(byte);
    else if (byte === closeBrace || byte === closeBracket) close();
    else if (depth === 1 && (byte === comma || byte === colon)) separate(byte);
  }

  return {
    /** Digits, words and white space. */
    plain(bytes: Uint8Array): void {
      if (member === 'usage') usage.add(bytes);
    },
    /** One of `signs`; a quote opens a string. */
    sign(byte: Uint8Array): void {
      const before = member;
      structure(byte[0]);
      // The colon before a value and the sign behind it are no part of it.
      if (before === member && member === 'usage') usage.add(byte);
    },
    /** A piece of a string, without and with the quote that closes it. */
    text(inside: Uint8Array, whole: Uint8Array): void {
      if (isKeyOpen) key.add(inside);
      if (member === 'usage') usage.add(whole);
    },
    isClosed: (): boolean => isClosed,
    usageText: (): string | undefined => usageText,
    items: (): number => items,
  };
}

/** Finds where strings end, across pieces. */
function createStringScan() {
  let isOpen = false;
  let isEscaped = false;

  return {
    isOpen: (): boolean => isOpen,
    start(): void {
      isOpen = true;
      isEscaped = false;
    },
    /** The offset of the closing quote at or after `from`; nothing where it is in a later piece. */
    end(chunk: Uint8Array, from: number): number | undefined {
      for (let start = from; ; ) {
        const found = chunk.indexOf(quote, start);
        const isQuoted = isEscapedAt(chunk, start, found === -1 ? chunk.length : found);
        isEscaped = found === -1 && isQuoted;
        if (found === -1) return undefined;
        if (!isQuoted) {
          isOpen = false;
          return found;
        }
        start = found + 1;
      }
    },
  };

  /** Whether an odd number of backslashes stands before `end`, those of earlier pieces included. */
  function isEscapedAt(chunk: Uint8Array, start: number, end: number): boolean {
    let first = end;
    while (first > start && chunk[first - 1] === backslash) first -= 1;
    const isOdd = (end - first) % 2 === 1;
    return first === start && isEscaped ? !isOdd : isOdd;
  }
}

const decoder = new TextDecoder();

/** Collects bytes up to a limit; beyond it there is no text. */
function createCapture(bytesMax: number) {
  let parts: Uint8Array[] = [];
  let length = 0;
  return {
    clear(): void {
      parts = [];
      length = 0;
    },
    add(part: Uint8Array): void {
      length += part.length;
      // A copy, because the piece it lies in is reused.
      if (length <= bytesMax) parts.push(part.slice());
    },
    text(): string | undefined {
      if (length > bytesMax) return undefined;
      const joined = new Uint8Array(length);
      let at = 0;
      for (const part of parts) {
        joined.set(part, at);
        at += part.length;
      }
      return decoder.decode(joined);
    },
  };
}

function isBlank(chunk: Uint8Array, from: number): boolean {
  for (let at = from; at < chunk.length; at += 1) {
    if (!isSpace(chunk[at])) return false;
  }
  return true;
}
