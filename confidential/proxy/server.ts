/** Serves the handler over HTTP, on loopback. */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { HostPort } from '../../runtime/config.ts';
import { listenHttp } from '../../runtime/http-listen.ts';

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 60_000;

/** Resolves with the port in use once it listens. Closing waits so long for open answers, then breaks them. */
export async function startProxyServer(
  handle: (request: Request) => Promise<Response>,
  options: { readonly listen: HostPort; readonly drainMs: number },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { listen, drainMs } = options;
  const listener = getRequestListener(handle, { overrideGlobalObjects: false });
  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => void listener(request, response),
  );
  const port = await listenHttp(server, listen);
  return {
    port,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      await Promise.race([closed, sleep(drainMs, undefined, { ref: false })]);
      server.closeAllConnections();
      await closed;
    },
  };
}
