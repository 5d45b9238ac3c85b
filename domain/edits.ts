/** Changes that a body needs before a node sees it, as splices: what is not named stays byte for byte as it came. */
import { outputLimitOf } from './bound.ts';
import { safeNumber } from './canonical-number.ts';
import type { BodyEdit } from './exchange.ts';
import type { Failure } from './failure.ts';
import { isObject } from './json.ts';
import { type Member, scanNumbers } from './json-scan.ts';
import type { Model } from './model.ts';
import type { ParsedRequest } from './request.ts';
import { invalid, isGiven } from './request-fields.ts';
import { defaultImageSize } from './request-images.ts';

/** An Atoma node stops reading at 2 MiB, after it has reserved units that it never gives back. */
const atomaBodyBytesMax = 2 * 1024 * 1024 - 1;

/** Room for what the edits may add. */
const editBytesMax = 32 * 1024;

/** The largest body that every node of the model accepts. */
export function bodyBytesMaxFor(model: Model, configuredMax: number): number {
  const isAtoma = model.protocols.includes('atoma');
  return isAtoma ? Math.min(configuredMax, atomaBodyBytesMax - editBytesMax) : configuredMax;
}

/** Everything that must change, in ascending order; a failure where a number cannot be made safe to sign. */
export function editsFor(request: ParsedRequest, model: Model): readonly BodyEdit[] | Failure {
  const isAtoma = model.protocols.includes('atoma');
  const wanted = {
    ...usageMember(request),
    ...outputMember(request, model),
    ...imageMembers(request, isAtoma),
  };
  const edits = memberEdits(request, wanted);
  const numbers = isAtoma ? numberEdits(request, edits) : [];
  if (!Array.isArray(numbers)) return numbers;
  return [...edits, ...numbers].sort((left, right) => left.offset - right.offset);
}

const decoder = new TextDecoder();

type Members = Readonly<Record<string, unknown>>;

/** The usage chunk is what a stream is billed by. */
function usageMember(request: ParsedRequest): Members {
  if (!request.stream || request.usageWanted) return {};
  const given = request.json.stream_options;
  return { stream_options: { ...(isObject(given) ? given : {}), include_usage: true } };
}

/**
 * Both sides must agree on the output limit. An Atoma node takes anything but digits for "absent", and an absent
 * `max_completion_tokens` that stands there hides `max_tokens`; so every limit that is there is stated in digits.
 */
function outputMember(request: ParsedRequest, model: Model): Members {
  if (request.endpoint !== 'chat' && request.endpoint !== 'completions') return {};
  const { tokens, stated } = outputLimitOf(request, model);
  const isAtoma = model.protocols.includes('atoma');
  if (!stated && !isAtoma) return {};
  const names = ['max_completion_tokens', 'max_tokens'].filter((name) => name in request.json);
  const wanted = names.map((name) => [name, limitFor(request.json[name], tokens)] as const);
  const isKnown = request.endpoint === 'chat' ? names.length > 0 : names.includes('max_tokens');
  return { ...Object.fromEntries(wanted), ...(isKnown ? {} : { max_tokens: tokens }) };
}

const limitFor = (given: unknown, tokens: number): number =>
  typeof given === 'number' ? Math.min(given, tokens) : tokens;

function imageMembers(request: ParsedRequest, isAtoma: boolean): Members {
  if (request.endpoint !== 'images' || !isAtoma) return {};
  const { size } = request.json;
  return {
    n: request.images,
    ...(isGiven(size) && size !== 'auto' ? {} : { size: defaultImageSize }),
  };
}

/** Replaces members that are there and inserts the others behind the opening brace. */
function memberEdits(request: ParsedRequest, wanted: Members): BodyEdit[] {
  const edits: BodyEdit[] = [];
  let inserted = '';
  for (const [key, value] of Object.entries(wanted)) {
    const text = JSON.stringify(value);
    const there = request.scan.members.find((member) => member.key === key);
    if (there) {
      if (!standsAs(text, request.body, there)) {
        edits.push({ offset: there.valueStart, length: there.valueEnd - there.valueStart, text });
      }
    } else {
      inserted += `${JSON.stringify(key)}:${text},`;
    }
  }
  if (inserted !== '') edits.push({ offset: request.scan.bodyStart, length: 0, text: inserted });
  return edits;
}

function standsAs(text: string, body: Uint8Array, { valueStart, valueEnd }: Member): boolean {
  return text === decoder.decode(body.subarray(valueStart, valueEnd));
}

function numberEdits(request: ParsedRequest, others: readonly BodyEdit[]): BodyEdit[] | Failure {
  const edits: BodyEdit[] = [];
  for (const { offset, text } of scanNumbers(request.body)) {
    const replaced = others.some(
      (edit) => offset >= edit.offset && offset < edit.offset + edit.length,
    );
    if (replaced) continue;
    const safe = safeNumber(text);
    if (safe === undefined)
      return invalid(null, 'The body holds a number that is too large or too small.');
    if (safe !== text) edits.push({ offset, length: text.length, text: safe });
  }
  return edits;
}

const encoder = new TextEncoder();

/** The edited body; the same bytes where there is nothing to edit. */
export function applyEdits(body: Uint8Array, edits: readonly BodyEdit[]): Uint8Array {
  if (edits.length === 0) return body;
  const texts = edits.map((edit) => encoder.encode(edit.text));
  const grown = edits.reduce(
    (total, edit, index) => total + (texts[index]?.length ?? 0) - edit.length,
    0,
  );
  const edited = new Uint8Array(body.length + grown);
  let read = 0;
  let written = 0;
  for (const [index, edit] of edits.entries()) {
    edited.set(body.subarray(read, edit.offset), written);
    written += edit.offset - read;
    const text = texts[index] ?? new Uint8Array();
    edited.set(text, written);
    written += text.length;
    read = edit.offset + edit.length;
  }
  edited.set(body.subarray(read), written);
  return edited;
}
