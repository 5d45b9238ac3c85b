/**
 * Finds where things stand in the bytes of a JSON object: structural characters are ASCII, so no decoding is needed.
 * The scan never throws; on text that is not JSON its findings mean nothing, so parse the same bytes too.
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

export type Member = {
  readonly key: string;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
};

export type ObjectScan = {
  /** Offset just behind the opening brace. */
  readonly bodyStart: number;
  readonly members: readonly Member[];
  /** How deeply objects and arrays nest; 1 for a flat object. */
  readonly depth: number;
};

/** The offset of the quote that ends the string whose first quote is at `start`; the length where none does. */
function stringEnd(bytes: Uint8Array, start: number): number {
  let end = bytes.indexOf(quote, start + 1);
  while (end !== -1) {
    let slashes = 0;
    while (bytes[end - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return end;
    end = bytes.indexOf(quote, end + 1);
  }
  return bytes.length;
}

const decoder = new TextDecoder();

function decodeKey(bytes: Uint8Array, start: number, end: number): string {
  const raw = decoder.decode(bytes.subarray(start, end + 1));
  if (!raw.includes('\\')) return raw.slice(1, -1);
  try {
    const key: unknown = JSON.parse(raw);
    return typeof key === 'string' ? key : raw;
  } catch {
    return raw;
  }
}

/** Scans a body once: the members of its top object and the depth of its nesting. */
export function scanObject(bytes: Uint8Array): ObjectScan {
  const scanner = createScanner(bytes);
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) at = scanner.string(at);
    else if (byte === openBrace || byte === openBracket) scanner.open(at);
    else if (byte === closeBrace || byte === closeBracket) scanner.close(at);
    else if (byte === comma || byte === colon) scanner.separate(at, byte);
  }
  return scanner.result();
}

function createScanner(bytes: Uint8Array) {
  const members: Member[] = [];
  let depth = 0;
  let deepest = 0;
  let bodyStart = 0;
  let keyStart = -1;
  let keyEnd = -1;
  let valueStart = -1;

  function finishMember(at: number): void {
    if (valueStart === -1) return;
    let valueEnd = at;
    while (isSpace(bytes[valueEnd - 1])) valueEnd -= 1;
    members.push({ key: decodeKey(bytes, keyStart, keyEnd), keyStart, valueStart, valueEnd });
    valueStart = -1;
  }

  return {
    string(at: number): number {
      const end = stringEnd(bytes, at);
      if (depth === 1 && valueStart === -1) {
        keyStart = at;
        keyEnd = end;
      }
      return end;
    },
    open(at: number): void {
      depth += 1;
      deepest = Math.max(deepest, depth);
      if (depth === 1) bodyStart = at + 1;
    },
    close(at: number): void {
      if (depth === 1) finishMember(at);
      depth -= 1;
    },
    separate(at: number, byte: number): void {
      if (depth !== 1) return;
      if (byte === comma) finishMember(at);
      else if (valueStart === -1 && keyStart !== -1) {
        valueStart = at + 1;
        while (isSpace(bytes[valueStart])) valueStart += 1;
      }
    },
    result: (): ObjectScan => ({ bodyStart, members, depth: deepest }),
  };
}

export type NumberToken = { readonly offset: number; readonly text: string };

const isNumberStart = (byte: number) => byte === 0x2d || (byte >= 0x30 && byte <= 0x39);

/** Digits, sign, point and exponent. */
const isNumberByte = (byte: number) =>
  isNumberStart(byte) || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45;

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;

/** Whole numbers of this many digits look the same to every reader. */
const plainDigitsMax = 15;

/** The numbers of a JSON text that are not plain digits, with their offsets in bytes; long lists of tokens cost nothing. */
export function* scanNumbers(bytes: Uint8Array): Generator<NumberToken> {
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) {
      at = stringEnd(bytes, at);
    } else if (isNumberStart(byte)) {
      const end = numberEnd(bytes, at);
      if (!isPlain(bytes, at, end)) {
        yield { offset: at, text: decoder.decode(bytes.subarray(at, end)) };
      }
      at = end - 1;
    }
  }
}

function numberEnd(bytes: Uint8Array, start: number): number {
  let end = start + 1;
  while (isNumberByte(bytes[end] ?? 0)) end += 1;
  return end;
}

function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > plainDigitsMax) return false;
  for (let at = start; at < end; at += 1) if (!isDigit(bytes[at] ?? 0)) return false;
  return true;
}
