/** Serves parts of the Sui API on the schema that the SDK itself carries; what is not implemented answers so. */
import {
  type handleServerStreamingCall,
  Metadata,
  Server,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import { RpcError, SuiGrpcClient } from '@mysten/sui/grpc';
import { adaptService } from '@protobuf-ts/grpc-backend';

// Never called: it knows the methods and messages of each service.
const schema = new SuiGrpcClient({ network: 'custom', baseUrl: 'http://127.0.0.1:1' });
const services = [
  schema.ledgerService,
  schema.stateService,
  schema.subscriptionService,
  schema.movePackageService,
] as const;

type StatusName = keyof typeof status;

/** Unary methods by their name in the schema. */
type Methods = Readonly<Record<string, (request: never) => Promise<unknown>>>;

/** Where a stream method writes its frames; the signal tells that the caller left. */
export type Sink<Frame> = {
  sendHeader(name: string, value: string): void;
  send(frame: Frame): Promise<void>;
  readonly left: AbortSignal;
};
// As a method its parameters are bivariant: each names the messages that its own stream carries.
type StreamMethod = { run(request: unknown, sink: Sink<unknown>): Promise<void> }['run'];
type StreamMethods = Readonly<Record<string, StreamMethod>>;

/** Fails the call or stream. */
export function refuse(code: StatusName): never {
  throw new RpcError(`refused: ${code}`, code);
}

const unimplemented = async () => refuse('UNIMPLEMENTED');
const unimplementedStream = async () => refuse('UNIMPLEMENTED');

/** The adapter's own streams end without a status where they fail. */
function streamed(method: StreamMethod): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    const leaving = new AbortController();
    call.on('cancelled', () => leaving.abort());
    const send = (frame: unknown) =>
      new Promise<void>((resolve) => void call.write(frame, () => resolve()));
    const sendHeader = (name: string, value: string) => {
      const metadata = new Metadata();
      metadata.set(name, value);
      call.sendMetadata(metadata);
    };
    method(call.request, { sendHeader, send, left: leaving.signal }).then(
      () => call.end(),
      (cause: unknown) => {
        const code = cause instanceof RpcError ? cause.code : 'INTERNAL';
        call.emit('error', { code: codes.get(code) ?? status.INTERNAL, details: String(cause) });
      },
    );
  };
}

const codes: ReadonlyMap<string, number> = new Map(
  Object.entries(status).flatMap(([name, code]) =>
    typeof code === 'number' ? [[name, code]] : [],
  ),
);

/** Listens on the port, or on a free one where it is 0. */
export async function serveMethods(
  port: number,
  methods: Methods,
  streamMethods: StreamMethods,
): Promise<{ port: number; close(): void }> {
  const server = new Server();
  for (const { typeName, methods: known, options } of services) {
    const all = known.map(({ localName }) => [localName, methods[localName] ?? unimplemented]);
    const [definition, implementation] = adaptService(
      { typeName, methods: known, options },
      Object.fromEntries(all),
    );
    const streams = known.filter(({ serverStreaming }) => serverStreaming);
    for (const { localName } of streams) {
      implementation[localName] = streamed(streamMethods[localName] ?? unimplementedStream);
    }
    server.addService(definition, implementation);
  }
  const bound = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, value) =>
      error ? reject(error) : resolve(value),
    );
  });
  return { port: bound, close: () => server.forceShutdown() };
}
