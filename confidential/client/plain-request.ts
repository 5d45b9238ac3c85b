/** The caller's OpenAI request: what must be known of it before it is sealed, and the bytes that are. */
import { applyEdits } from '../../domain/edits.ts';
import { scanObject } from '../../domain/json-scan.ts';
import { isObject, type JsonObject } from '../../domain/request-fields.ts';
import { plaintextBytesMax } from '../envelope.ts';
import type { RandomBytes } from '../keys.ts';
import { refusalOf } from './refusal.ts';

export type PlainRequest = {
  readonly kind: 'plain';
  readonly model: string;
  /** What the caller wants. */
  readonly isStream: boolean;
  readonly usageWanted: boolean;
  /** Tokens of output at most, over all choices, where the caller says it. */
  readonly outputTokensMax: bigint | undefined;
  readonly bytes: Uint8Array;
};

/** Reads a body, or tells what an OpenAI server would answer to it. */
export function readPlainRequest(
  bytes: Uint8Array,
): PlainRequest | { readonly kind: 'refused'; readonly response: Response } {
  if (bytes.length > plaintextBytesMax - saltBytesMax) {
    const message = `The body may hold at most ${plaintextBytesMax - saltBytesMax} bytes.`;
    return refusal({ status: 413, code: 'request_too_large', param: null, message });
  }
  const json = parseObject(bytes);
  if (!json)
    return refusal({
      status: 400,
      code: null,
      param: null,
      message: 'The body must be a JSON object.',
    });
  const { model, stream, stream_options: options } = json;
  if (typeof model !== 'string' || model === '') {
    return refusal({ status: 400, code: null, param: 'model', message: '"model" must be a text.' });
  }
  return {
    kind: 'plain',
    model,
    isStream: stream === true,
    usageWanted: isObject(options) && options.include_usage === true,
    outputTokensMax: outputTokensOf(json),
    bytes,
  };
}

const refusal = (options: Parameters<typeof refusalOf>[0]) =>
  ({ kind: 'refused', response: refusalOf(options) }) as const;

/** What the envelope states: more than a model lets in by default has to be. */
function outputTokensOf(json: JsonObject): bigint | undefined {
  const each = countOf(json.max_completion_tokens) ?? countOf(json.max_tokens);
  const total = each === undefined ? undefined : each * (countOf(json.n) ?? 1n);
  return total === undefined || BigInt.asUintN(64, total) !== total ? undefined : total;
}

const countOf = (value: unknown) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? BigInt(value)
    : undefined;

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** The same request for one whole answer; all else stays byte for byte. */
export function withoutStream(bytes: Uint8Array): Uint8Array {
  const edits = scanObject(bytes).members.flatMap(({ key, valueStart, valueEnd }) => {
    const text = replacements.get(key);
    return text === undefined ? [] : [{ offset: valueStart, length: valueEnd - valueStart, text }];
  });
  return applyEdits(bytes, edits);
}

const replacements = new Map([
  ['stream', 'false'],
  ['stream_options', 'null'],
]);

const saltBits = 128;
const blockBytes = 256;
const saltBytesMax = saltBits + blockBytes;
const space = 0x20;
const tab = 0x09;

/**
 * Appends white space, which means nothing to JSON, so that nobody can confirm a guess of the text by the hash that travels in
 * clear: a random bit is a space or a tab. The length is rounded up, and tells less.
 */
export function salted(bytes: Uint8Array, randomBytes: RandomBytes): Uint8Array {
  const length = Math.ceil((bytes.length + saltBits) / blockBytes) * blockBytes;
  const result = new Uint8Array(length).fill(space);
  result.set(bytes);
  const random = randomBytes(saltBits / 8);
  for (let bit = 0; bit < saltBits; bit += 1) {
    if (((random[bit >> 3] ?? 0) >> (bit & 7)) & 1) result[bytes.length + bit] = tab;
  }
  return result;
}
