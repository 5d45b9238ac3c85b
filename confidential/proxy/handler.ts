/** Answers one request of a caller on this machine: through the sealing client, within limits, and with its failures in words. */
import type { Logger } from '../../runtime/log.ts';
import { readText } from '../client/body.ts';
import { UnprovenError, UnsealableError } from '../client/errors.ts';
import { plaintextBytesMax } from '../envelope.ts';
import { breakable, type Failure, failureOf, refuse } from './failures.ts';

export type HandlerOptions = {
  readonly fetchSealed: typeof fetch;
  /** The gateway up to and including `/v1`. */
  readonly baseUrl: string;
  readonly parallelMax: number;
  readonly timeoutMs: number;
  readonly log: Logger;
};

/** What is of use to the gateway; all else tells of the caller's machine. */
const requestHeaders = ['authorization', 'accept', 'content-type', 'x-stainless-retry-count'];
/** No page can leave out both. */
const browserHeaders = ['origin', 'sec-fetch-site'];
/** What belongs to one connection, or to a body as it came. */
const connectionHeaders = [
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'content-encoding',
];

/** `request.signal` says that the caller left. */
export function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  const { parallelMax, timeoutMs, log } = options;
  let open = 0;

  return async function handle(request) {
    // A page in a browser reaches this machine too, and would speak with this proxy's key.
    if (browserHeaders.some((name) => request.headers.has(name))) return refuse('browser');
    if (open >= parallelMax) return refuse('busy');
    open += 1;
    const leave = once(() => {
      open -= 1;
    });
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const answer = await forward(request, options, signal);
      return await breakable(answer, {
        ended: leave,
        failed: (cause) => report(log, cause),
      });
    } catch (cause) {
      leave();
      return refuse(report(log, cause), cause);
    }
  };
}

async function forward(
  request: Request,
  { fetchSealed, baseUrl }: HandlerOptions,
  signal: AbortSignal,
): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const body = request.body && (await readText(request.body.getReader(), plaintextBytesMax));
  if (body === undefined) return refuse('too-large');
  const headers = new Headers();
  for (const name of requestHeaders) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  // The client puts the gateway's address in place of this one.
  const url = new URL(`${pathname}${search}`, baseUrl);
  const { method } = request;
  const answer = await fetchSealed(url, {
    method,
    headers,
    signal,
    ...(body !== null && { body }),
  });
  const kept = new Headers(answer.headers);
  for (const name of connectionHeaders) kept.delete(name);
  return new Response(answer.body, { status: answer.status, headers: kept });
}

/** Says what failed, and never what was asked or answered. */
function report(log: Logger, cause: unknown): Failure {
  const failure = failureOf(cause);
  const isKnown = cause instanceof UnprovenError || cause instanceof UnsealableError;
  const told = isKnown ? { reason: cause.message } : { err: cause };
  if (failure !== 'left') log.warn({ failure, ...told }, 'not answered');
  return failure;
}

function once(run: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) run();
    isDone = true;
  };
}
