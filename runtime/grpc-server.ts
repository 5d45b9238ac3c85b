/** A gRPC server as Envoy wants it: health service, keep-alive, bodies up to the limit, a drain before the end. */
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import {
  HealthCheckResponse_ServingStatus,
  type HealthServer,
  HealthService,
} from '../proto/gen/grpc/health/v1/health.ts';
import type { HostPort } from './config.ts';

export type GrpcServer = {
  /** The port in use, which matters where the configured one is 0. */
  readonly port: number;
  /** Answers "not serving", waits for open calls up to `drainMs`, then cuts them. */
  close(): Promise<void>;
};

/** Starts listening once `register` has added the services. */
export async function startGrpcServer(options: {
  readonly listen: HostPort;
  readonly messageBytesMax: number;
  readonly drainMs: number;
  readonly register: (server: Server) => void;
}): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': options.messageBytesMax,
    'grpc.max_send_message_length': options.messageBytesMax,
    'grpc.max_concurrent_streams': 2 ** 31 - 1,
  });
  let serving = true;
  server.addService(
    HealthService,
    createHealth(() => serving),
  );
  options.register(server);
  const port = await bind(server, options.listen);

  return {
    port,
    close: () =>
      new Promise((closed) => {
        serving = false;
        const cut = setTimeout(() => server.forceShutdown(), options.drainMs);
        server.tryShutdown(() => {
          clearTimeout(cut);
          closed();
        });
      }),
  };
}

function bind(server: Server, { host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
}

function createHealth(isServing: () => boolean): HealthServer {
  const answer = () => ({
    status: isServing()
      ? HealthCheckResponse_ServingStatus.SERVING
      : HealthCheckResponse_ServingStatus.NOT_SERVING,
  });
  const unwatched = Object.assign(new Error('watching is not supported'), {
    code: status.UNIMPLEMENTED,
    details: 'watching is not supported',
    metadata: new Metadata(),
  });
  return {
    check: (_call, callback) => callback(null, answer()),
    list: (_call, callback) => callback(null, { statuses: { '': answer() } }),
    watch: (call) => void call.emit('error', unwatched),
  };
}
