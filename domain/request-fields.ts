/** Small checks that the request parsers share; each failure names the parameter as OpenAI does. */
import type { Failure } from './failure.ts';
import { isObject, type JsonObject } from './json.ts';

export const choicesMax = 128;

/** Texts or token lists in one request, as many as OpenAI takes. */
const promptsMax = 2048;

const encoder = new TextEncoder();

export const invalid = (param: string | null, message: string): Failure => ({
  kind: 'request-invalid',
  param,
  message,
});

export function isFailure(value: unknown): value is Failure {
  return isObject(value) && value.kind === 'request-invalid';
}

/** Absent and null mean the same to OpenAI. */
export const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

export const utf8Length = (text: string): number => encoder.encode(text).length;

/** An optional whole number within bounds, both included. */
export function wholeNumber(
  json: JsonObject,
  param: string,
  bounds: { min: number; max: number },
): number | undefined | Failure {
  const value = json[param];
  if (!isGiven(value)) return undefined;
  const { min, max } = bounds;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) {
    return value;
  }
  return invalid(param, `"${param}" must be a whole number from ${min} to ${max}.`);
}

export type StreamChoice = { readonly stream: boolean; readonly usageWanted: boolean };

/** `stream` and `stream_options.include_usage`. */
export function parseStream(json: JsonObject): StreamChoice | Failure {
  const { stream, stream_options: options } = json;
  if (isGiven(stream) && typeof stream !== 'boolean') {
    return invalid('stream', '"stream" must be true or false.');
  }
  if (isGiven(options) && !isObject(options)) {
    return invalid('stream_options', '"stream_options" must be an object.');
  }
  const usage = isObject(options) ? options.include_usage : undefined;
  if (isGiven(usage) && typeof usage !== 'boolean') {
    return invalid('stream_options.include_usage', '"include_usage" must be true or false.');
  }
  if (isGiven(options) && stream !== true) {
    return invalid('stream_options', '"stream_options" may only be set when "stream" is true.');
  }
  return { stream: stream === true, usageWanted: usage === true };
}

export type PromptSize = {
  readonly texts: number;
  readonly bytes: number;
  readonly tokens: number;
  /** Tokens of the longest text, where they are known. */
  readonly longest: number;
};

const isTokens = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => Number.isSafeInteger(item));

/** A prompt as text, texts, token numbers, or lists of token numbers. */
export function parsePrompt(value: unknown, param: string): PromptSize | Failure {
  if (typeof value === 'string') return textsSize([value]);
  if (isTokens(value)) return tokensSize([value]);
  if (Array.isArray(value) && value.length > 0) {
    if (value.length > promptsMax) {
      return invalid(param, `"${param}" may hold at most ${promptsMax} texts.`);
    }
    if (value.every((item) => typeof item === 'string')) return textsSize(value);
    if (value.every(isTokens)) return tokensSize(value);
  }
  return invalid(param, `"${param}" must be a text, a list of texts, or lists of token numbers.`);
}

const textsSize = (texts: readonly string[]): PromptSize => ({
  texts: texts.length,
  bytes: sum(texts.map(utf8Length)),
  tokens: 0,
  longest: 0,
});

function tokensSize(lists: readonly (readonly number[])[]): PromptSize {
  const lengths = lists.map((list) => list.length);
  return { texts: lists.length, bytes: 0, tokens: sum(lengths), longest: Math.max(...lengths) };
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0);
