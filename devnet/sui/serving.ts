/**
 * Turns typed handlers into a gRPC service over the SDK's own schema. Every method exists: what has no handler answers
 * UNIMPLEMENTED, and the faults of the node strike here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Server, status } from '@grpc/grpc-js';
import { RpcError } from '@mysten/sui/grpc';
import { adaptService, createContext } from '@protobuf-ts/grpc-backend';
import type { FaultSwitch } from './node-faults.ts';

type ServiceInfo = Parameters<typeof adaptService>[0];

/** The server's end of a stream. */
export type Outgoing<Frame> = {
  /** Resolves when the frame is written. */
  send(frame: Frame): Promise<void>;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
};

type Handler<Method> = Method extends (request: infer Request, ...rest: never[]) => infer Call
  ? Call extends { readonly response: Promise<infer Response> }
    ? (request: Request) => Response | Promise<Response>
    : Call extends { readonly responses: AsyncIterable<infer Frame> }
      ? (request: Request, stream: Outgoing<Frame>) => Promise<void>
      : never
  : never;

/** Handlers for some of the methods that the SDK's client of a service has. */
export type Handlers<Client> = { readonly [Name in keyof Client]?: Handler<Client[Name]> };

type Context = {
  onCancel(callback: () => void): void;
  sendResponseHeaders(headers: Record<string, string>): void;
};
type StreamContext = Context & { readonly call: { emit(event: 'error', error: unknown): boolean } };
type Responses = { send(frame: unknown): Promise<void> };
type ServerSetup = {
  readonly server: Server;
  readonly faults: FaultSwitch;
  readonly headers: () => Record<string, string>;
};

// A stream that ends cleanly, though its last frame is missing.
class EndOfStream extends Error {}

/** Adds the service to the server. */
export function addService(info: ServiceInfo, handlers: object, setup: ServerSetup): void {
  const implementation = Object.fromEntries(
    info.methods.map((method) => {
      const name = `${info.typeName.split('.').at(-1)}/${method.name}`;
      const handler: unknown = Reflect.get(handlers, method.localName);
      const run = method.serverStreaming ? streaming : unary;
      return [method.localName, run(name, handler, setup)];
    }),
  );
  setup.server.addService(
    ...adaptService(info, implementation, {
      contextFactory: (service, method, call) =>
        Object.assign(createContext(service, method, call), { call }),
    }),
  );
}

/** A gRPC status with words; thrown by handlers. */
export const statusError = (code: keyof typeof status, message: string) =>
  new RpcError(message, code);

function unary(name: string, handler: unknown, setup: ServerSetup) {
  return async (request: unknown, context: Context): Promise<unknown> => {
    const run = await enter(name, handler, setup);
    context.sendResponseHeaders(setup.headers());
    return Reflect.apply(run, undefined, [request]);
  };
}

function streaming(name: string, handler: unknown, setup: ServerSetup) {
  return async (request: unknown, responses: Responses, context: StreamContext): Promise<void> => {
    const gone = new AbortController();
    context.onCancel(() => gone.abort());
    try {
      const run = await enter(name, handler, setup);
      context.sendResponseHeaders(setup.headers());
      const outgoing = outgoingOf(responses, { faults: setup.faults, signal: gone.signal });
      await Reflect.apply(run, undefined, [request, outgoing]);
    } catch (error) {
      // Thrown further, the error would destroy the stream before grpc-js has sent its status.
      if (!(error instanceof EndOfStream)) context.call.emit('error', numbered(error));
    }
  };
}

async function enter(name: string, handler: unknown, { faults }: ServerSetup) {
  const { latencyMs, unimplemented, unavailable } = faults.current();
  if (latencyMs > 0) await sleep(latencyMs);
  if (unavailable.includes(name)) throw statusError('UNAVAILABLE', `${name} is away`);
  if (typeof handler !== 'function' || unimplemented.includes(name)) {
    throw statusError('UNIMPLEMENTED', `${name} is not implemented`);
  }
  return handler;
}

function outgoingOf(
  responses: Responses,
  { faults, signal }: { readonly faults: FaultSwitch; readonly signal: AbortSignal },
): Outgoing<unknown> {
  let frames = 0;
  // To a caller who has gone nothing is ever written.
  const left = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  return {
    signal,
    async send(frame) {
      const { cutStreams } = faults.current();
      if (cutStreams && frames >= cutStreams.afterFrames) {
        if (cutStreams.how === 'end') throw new EndOfStream();
        throw statusError('UNAVAILABLE', 'the stream is cut');
      }
      frames += 1;
      await Promise.race([responses.send(frame), left]);
    },
  };
}

/** On a stream grpc-js reads the status from a numeric code only. */
function numbered(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  const code = Object.entries(status).find(([name]) => name === error.code)?.[1];
  return Object.assign(new Error(error.message), { code: code ?? status.UNKNOWN });
}
