/** Serves the API over HTTP, to Envoy. */
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { HostPort } from '../../runtime/config.ts';
import { listenHttp } from '../../runtime/http-listen.ts';
import { type ApiPorts, createApi } from './app.ts';

const requestTimeoutMs = 10_000;
/** Longer than Envoy keeps an idle connection, so that Envoy never writes to one that is being closed. */
const keepAliveTimeoutMs = 3_700_000;

/** Resolves with the port in use once it listens. */
export async function startApiServer(
  ports: ApiPorts,
  listen: HostPort,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const listener = getRequestListener(createApi(ports).fetch);
  const server = createServer(
    { requestTimeout: requestTimeoutMs, keepAliveTimeout: keepAliveTimeoutMs },
    (request, response) => void listener(request, response),
  );
  const port = await listenHttp(server, listen);
  return {
    port,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeIdleConnections();
      }),
  };
}
