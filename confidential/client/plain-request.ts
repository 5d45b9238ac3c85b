/** The caller's OpenAI request: what must be known of it before it is sealed, and the bytes that are. */
import { applyEdits } from '../../domain/edits.ts';
import { type Failure, toErrorAnswer } from '../../domain/failure.ts';
import { scanObject } from '../../domain/json-scan.ts';
import { type ParsedRequest, parseRequest } from '../../domain/request.ts';
import { plaintextBytesMax } from '../envelope.ts';
import type { RandomBytes } from '../keys.ts';
import type { SealedEndpoint } from './route.ts';

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

/** Reads a body, or tells what the gateway would answer if it could read it. */
export function readPlainRequest(
  endpoint: SealedEndpoint,
  bytes: Uint8Array,
): PlainRequest | { readonly kind: 'refused'; readonly response: Response } {
  const limitBytes = plaintextBytesMax - saltBytesMax;
  if (bytes.length > limitBytes) return refused({ kind: 'body-too-large', limitBytes });
  const parsed = parseRequest(endpoint, bytes);
  if ('kind' in parsed) return refused(parsed);
  const { model, stream, usageWanted } = parsed;
  const outputTokensMax = outputTokensOf(parsed);
  return { kind: 'plain', model, isStream: stream, usageWanted, outputTokensMax, bytes };
}

function refused(failure: Failure) {
  const { status, headers, body } = toErrorAnswer(failure);
  return { kind: 'refused', response: new Response(body, { status, headers }) } as const;
}

/** What the envelope states: more than a model lets in by default has to be. */
function outputTokensOf({ outputTokensAsked, choices }: ParsedRequest): bigint | undefined {
  const total = outputTokensAsked === undefined ? undefined : outputTokensAsked * choices;
  return total !== undefined && Number.isSafeInteger(total) ? BigInt(total) : undefined;
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
