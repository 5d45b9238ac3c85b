/** What a node's error means to a caller: the status and code of its answer become one of our failures, or pass. */
import type { Failure } from '../domain/failure.ts';
import { isObject, type JsonObject, parseObject } from '../domain/json.ts';

/** `refusesUs` marks an answer that speaks of the gateway's own headers, its stack above all. */
export type NodeError =
  | { readonly kind: 'pass' }
  | { readonly kind: 'fail'; readonly failure: Failure; readonly refusesUs: boolean };

const messageCharsMax = 500;
const busyRetryMs = 1000;
/** However long a node says that it is busy: another one may come free. */
const busyRetryMsMax = 60_000;

/** Statuses by which a plain OpenAI node speaks of the caller's own request. */
const callerStatuses: ReadonlySet<number> = new Set([400, 404, 413, 422]);

export function judgeNodeError(answer: {
  readonly status: number;
  readonly text: string;
  readonly protocol: string;
  readonly retryAfter: string | undefined;
}): NodeError {
  const { status, text, protocol } = answer;
  const error = errorOf(parseObject(text));
  if (status === 429) {
    return fail({ kind: 'node-busy', retryAfterMs: toRetryMs(answer.retryAfter) });
  }
  if (protocol === 'atoma' && status === 400) {
    return isOurHeader(error)
      ? { ...fail({ kind: 'node-failed' }), refusesUs: true }
      : fail({ kind: 'node-refused', message: toMessage(error) });
  }
  if (protocol !== 'atoma' && callerStatuses.has(status)) {
    return error && isOpenAiError(error)
      ? { kind: 'pass' }
      : fail({ kind: 'node-refused', message: toMessage(error) });
  }
  if (status === 504 || status === 408) return fail({ kind: 'node-timeout' });
  return fail({ kind: 'node-failed' });
}

const fail = (failure: Failure) => ({ kind: 'fail', failure, refusesUs: false }) as const;

/** A header of the node's protocol is the gateway's affair, never the caller's. */
function isOurHeader(error: JsonObject | undefined): boolean {
  return error?.code === 'MISSING_HEADER' || error?.code === 'INVALID_HEADER';
}

/** Both `{"error": {…}}` and the bare `{"object": "error", …}` of older vLLM. */
function errorOf(json: JsonObject | undefined): JsonObject | undefined {
  if (isObject(json?.error)) return json.error;
  return undefined;
}

/** Whether SDKs can read it as it is; vLLM, for example, tells the status as a number in `code`. */
function isOpenAiError({ message, type, param, code }: JsonObject): boolean {
  const isText = (value: unknown) =>
    value === undefined || value === null || typeof value === 'string';
  return typeof message === 'string' && typeof type === 'string' && isText(param) && isText(code);
}

/** A stranger's words, bounded and printable. */
function toMessage(error: JsonObject | undefined): string {
  const told = typeof error?.message === 'string' ? error.message : '';
  const printable = told.replace(/\p{C}+/gu, ' ').trim();
  const bounded = printable.slice(0, messageCharsMax).toWellFormed();
  return bounded === '' ? 'The node refused this request.' : bounded;
}

function toRetryMs(header: string | undefined): number {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return busyRetryMs;
  return Math.min(Number(header) * 1000, busyRetryMsMax);
}
