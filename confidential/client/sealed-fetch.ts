/**
 * A `fetch` for OpenAI's SDKs that seals what is asked and opens what is answered: it asks the gateway for a lock, proves
 * the node's key, seals to it, and hands on nothing that is not proven. Runs wherever `fetch` does.
 */
import type { ExchangeCipher } from '../cipher.ts';
import type { RandomBytes } from '../keys.ts';
import { sealRequest } from '../request.ts';
import { bodyOf, readText } from './body.ts';
import { UnprovenError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { liveStream } from './live-stream.ts';
import { type Lock, lockBytesMax, parseLock } from './lock.ts';
import { type PlainRequest, readPlainRequest, salted, withoutStream } from './plain-request.ts';
import { type Route, routeOf } from './route.ts';
import { createSignerCheck, proveKey, type Trust } from './trust.ts';
import { wholeAnswer } from './whole-answer.ts';

/**
 * How streams are asked for. `whole`: as one answer, proven before its first event, on which nobody else can learn its
 * parts. `live`: as they come, from nodes that number their nonces; order and end are proven. `live-unproven`: as they
 * come, from any node; the published one lets whoever carries the stream read it.
 */
export type Streams = 'whole' | 'live' | 'live-unproven';

export type SealedFetchOptions = {
  readonly trust: Trust;
  /** The gateway up to and including `/v1`; that of each request unless given. */
  readonly baseUrl?: string | undefined;
  /** Sent as the bearer's key; that of each request unless given. */
  readonly apiKey?: string | undefined;
  /** Carries the sealed requests. */
  readonly fetch?: typeof fetch | undefined;
  readonly streams?: Streams | undefined;
};

// The gateway answers with one of these before a node has seen the request: its lock is gone, or the key is another.
const lockGoneStatuses = [409, 425];
const locksMax = 3;
// The gateway's word that the locked node failed: no other can open this envelope, but a new one may go to another.
const nodeFailedStatus = 424;

/** A fetch that fails closed: with UnprovenError, UnsealableError, or as the fetch beneath it fails. */
export function sealedFetch(options: SealedFetchOptions): typeof fetch {
  const send = options.fetch ?? fetch;
  return async function fetchSealed(input, init) {
    const request = new Request(input, init);
    const route = routeOf(request, options.baseUrl);
    const headers = headersFor(request, options.apiKey);
    const { method, signal } = request;
    if (route.kind === 'pass') return await send(route.url, { ...init, method, headers, signal });
    const body = new Uint8Array(await request.arrayBuffer());
    const read = readPlainRequest(route.endpoint, body);
    if (read.kind === 'refused') return read.response;
    headers.set('content-type', 'application/json');
    const post = (url: string, body: string) =>
      send(url, {
        ...init,
        method: 'POST',
        headers,
        body,
        signal,
        redirect: 'error',
      });
    return await ask({ ...options, route, request: read, signal, post });
  };
}

function headersFor(request: Request, apiKey: string | undefined): Headers {
  const headers = new Headers(request.headers);
  // It belongs to the text that stays here.
  headers.delete('content-length');
  if (apiKey !== undefined) headers.set('authorization', `Bearer ${apiKey}`);
  return headers;
}

type Asking = {
  readonly route: Route & { readonly kind: 'sealed' };
  readonly request: PlainRequest;
  readonly trust: Trust;
  readonly streams?: Streams | undefined;
  readonly signal: AbortSignal;
  readonly post: (url: string, body: string) => Promise<Response>;
};

/** Locks and asks; anew, with a new envelope, where the gateway says that the lock was gone before a node saw anything. */
async function ask(asking: Asking): Promise<Response> {
  for (let locks = 1; ; locks += 1) {
    const locked = await lockNode(asking);
    if (locked instanceof Response) return locked;
    const response = await askLocked(asking, locked);
    if (!lockGoneStatuses.includes(response.status) || locks === locksMax) return response;
    await response.body?.cancel();
  }
}

async function lockNode({ route, request, trust, signal, post }: Asking): Promise<Lock | Response> {
  const response = await post(route.lockUrl, JSON.stringify({ model: request.model }));
  if (!response.ok || !response.body) return response;
  const lock = parseLock((await readText(response.body.getReader(), lockBytesMax)) ?? '');
  await proveKey(lock, trust, signal);
  return lock;
}

async function askLocked(asking: Asking, lock: Lock): Promise<Response> {
  const { route, request, streams = 'whole' } = asking;
  const isLive = request.isStream && streams !== 'whole';
  const isWhole = request.isStream && !isLive;
  const plaintext = isWhole ? withoutStream(request.bytes) : request.bytes;
  const sealed = sealRequest(
    {
      plaintext: salted(plaintext, systemRandomBytes),
      nodePublicKey: lock.publicKey,
      stackSmallId: lock.stackSmallId,
      modelName: request.model,
      stream: isLive,
      numComputeUnits: request.outputTokensMax,
    },
    systemRandomBytes,
  );
  if (sealed.kind === 'key-weak') {
    throw new UnprovenError('key', 'the lock names a key that keeps no secret: nothing was sealed');
  }
  const { cipher } = sealed;
  try {
    const response = await asking.post(route.url, sealed.body);
    if (response.ok && response.body) return opening(response, { asking, lock, cipher, isLive });
    cipher.erase();
    return response.status === nodeFailedStatus ? repeatable(response) : response;
  } catch (cause) {
    cipher.erase();
    throw cause;
  }
}

/** Tells SDKs that they may ask again, as they do where a node fails in clear: each time locks and seals anew. */
function repeatable(response: Response): Response {
  const headers = headersOf(response);
  headers.set('x-should-retry', 'true');
  return new Response(response.body, { status: response.status, headers });
}

const systemRandomBytes: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/** The answer for the caller. What is not proven breaks its body, which no SDK asks for again. */
function opening(
  response: Response,
  options: { asking: Asking; lock: Lock; cipher: ExchangeCipher; isLive: boolean },
): Response {
  const { asking, lock, cipher, isLive } = options;
  const { route, request, trust, signal, streams } = asking;
  const reader = (response.body ?? new ReadableStream()).getReader();
  const exchange: Exchange = {
    endpoint: route.endpoint,
    request,
    cipher,
    checkSigner: createSignerCheck(lock, trust),
    reader,
    signal,
  };
  const order = streams === 'live-unproven' ? 'unproven' : 'proven';
  const parts = isLive ? liveStream(exchange, order) : wholeAnswer(exchange);
  const body = bodyOf(parts, () => {
    cipher.erase();
    reader.cancel().catch(() => undefined);
  });
  const headers = headersOf(response);
  const type = request.isStream ? 'text/event-stream; charset=utf-8' : 'application/json';
  headers.set('content-type', type);
  return new Response(body, { status: 200, headers });
}

const bodyHeaders = ['content-length', 'content-encoding', 'transfer-encoding'];

/** Without what was said of the body as it came. */
function headersOf(response: Response): Headers {
  const headers = new Headers(response.headers);
  for (const name of bodyHeaders) headers.delete(name);
  return headers;
}
