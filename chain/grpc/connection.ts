/**
 * Native gRPC to one full node: deadlines, retries of unary calls, a watchdog over streams, and errors in the words of
 * the port.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ChannelCredentials, InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import { RpcError, SuiGrpcClient } from '@mysten/sui/grpc';
import { GrpcTransport } from '@protobuf-ts/grpc-transport';
import { FullNodeError, type FullNodeErrorKind } from '../full-node.ts';
import { isRetryable } from './retry.ts';

export type ConnectionOptions = {
  /** Host and port. */
  readonly host: string;
  readonly tls: boolean;
  /** The pause after the `attempt`th failure of a call, counted from 1. */
  readonly pauseMs: (attempt: number) => number;
  readonly callDeadlineMs?: number;
  /** A stream without a frame for this long is given up. */
  readonly streamSilenceMsMax?: number;
};

type CallOptions = { readonly abort: AbortSignal; readonly timeout?: number };
type Headers = Readonly<Record<string, string | string[]>>;
type Stream<Frame> = {
  readonly headers: Promise<Headers>;
  readonly responses: AsyncIterable<Frame>;
};

export type Connection = {
  readonly client: SuiGrpcClient;
  /** Makes a unary call, again where that may help. */
  call<Response>(
    signal: AbortSignal,
    run: (options: CallOptions) => PromiseLike<{ readonly response: Response }>,
  ): Promise<Response>;
  /** Opens a stream; it is cancelled when its reader leaves. `check` throws where the headers make it worthless. */
  stream<Frame>(
    signal: AbortSignal,
    open: (options: CallOptions) => Stream<Frame>,
    check?: (headers: Headers) => void,
  ): AsyncIterable<Frame>;
  close(): void;
};

const callDeadlineMsDefault = 10_000;
const streamSilenceMsDefault = 30_000;
const messageBytesMax = 32 * 1024 * 1024;
const keepalive = { 'grpc.keepalive_time_ms': 20_000, 'grpc.keepalive_timeout_ms': 5000 };

/** Connects when first used. */
export function connectFullNode(options: ConnectionOptions): Connection {
  const timeout = options.callDeadlineMs ?? callDeadlineMsDefault;
  const silenceMsMax = options.streamSilenceMsMax ?? streamSilenceMsDefault;
  const transport = new GrpcTransport({
    host: options.host,
    channelCredentials: options.tls
      ? ChannelCredentials.createSsl()
      : ChannelCredentials.createInsecure(),
    clientOptions: {
      ...keepalive,
      'grpc.max_receive_message_length': messageBytesMax,
      interceptors: [withoutLateHeaders],
    },
  });
  // The name only selects defaults of the SDK that are not used here.
  const client = new SuiGrpcClient({ network: 'custom', transport });

  return {
    client,
    async call(signal, run) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await withAbort(signal, async (abort) => (await run({ abort, timeout })).response);
        } catch (cause) {
          const code = codeOf(cause);
          if (signal.aborted || !isRetryable({ code, attempt })) throw toError(cause, signal);
        }
        await pause(options.pauseMs(attempt), signal);
      }
    },
    stream: (signal, open, check = () => {}) => readStream({ signal, open, check, silenceMsMax }),
    close: () => transport.close(),
  };
}

/** Headers that come after a call was ended here would make the transport throw where nobody can catch it. */
const withoutLateHeaders: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, _listener, next) {
      let isOver = false;
      next(metadata, {
        onReceiveMetadata(received, forward) {
          if (!isOver) forward(received);
        },
        onReceiveMessage: (message, forward) => forward(message),
        onReceiveStatus(status, forward) {
          isOver = true;
          forward(status);
        },
      });
    },
  });

/** One controller per call: the transport adds a listener per call to the signal it is given, and never removes it. */
async function withAbort<Result>(
  outer: AbortSignal,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  outer.addEventListener('abort', abort, { once: true });
  try {
    outer.throwIfAborted();
    return await run(controller.signal);
  } finally {
    outer.removeEventListener('abort', abort);
  }
}

async function* readStream<Frame>(options: {
  signal: AbortSignal;
  open: (options: CallOptions) => Stream<Frame>;
  check: (headers: Headers) => void;
  silenceMsMax: number;
}): AsyncGenerator<Frame> {
  const { signal, silenceMsMax } = options;
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  let watchdog = setTimeout(abort, silenceMsMax);
  try {
    signal.throwIfAborted();
    const call = options.open({ abort: controller.signal });
    options.check(await call.headers);
    for await (const frame of call.responses) {
      // A slow reader is no silence.
      clearTimeout(watchdog);
      yield frame;
      watchdog = setTimeout(abort, silenceMsMax);
    }
  } catch (cause) {
    if (controller.signal.aborted && !signal.aborted) {
      throw new FullNodeError('unavailable', `no frame for ${silenceMsMax} ms`, { cause });
    }
    throw toError(cause, signal);
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener('abort', abort);
    controller.abort();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (cause) {
    throw toError(cause, signal);
  }
}

const kinds: ReadonlyMap<string, FullNodeErrorKind> = new Map([
  ['UNIMPLEMENTED', 'unimplemented'],
  ['NOT_FOUND', 'not-found'],
  ['INVALID_ARGUMENT', 'refused'],
  ['FAILED_PRECONDITION', 'refused'],
  ['OUT_OF_RANGE', 'refused'],
  ['PERMISSION_DENIED', 'refused'],
  ['UNAUTHENTICATED', 'refused'],
]);

const codeOf = (cause: unknown): string => (cause instanceof RpcError ? cause.code : '');

function toError(cause: unknown, signal: AbortSignal): FullNodeError {
  if (cause instanceof FullNodeError) return cause;
  if (signal.aborted) return new FullNodeError('aborted', 'the caller left', { cause });
  const code = codeOf(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  // What is thrown without a code comes from reading the bytes.
  const kind = code === '' ? 'protocol' : (kinds.get(code) ?? 'unavailable');
  return new FullNodeError(kind, `${code} ${message}`.trim(), { cause });
}
