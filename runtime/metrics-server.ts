/** Serves `/metrics` of one process on a private port. */
import { createServer } from 'node:http';
import type { Registry } from 'prom-client';
import type { HostPort } from './config.ts';
import { listenHttp } from './http-listen.ts';

/** Resolves when it listens. */
export async function startMetricsServer(
  registry: Registry,
  listen: HostPort,
): Promise<{ close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await listenHttp(server, listen);
  return {
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
