/** Serves the handler over HTTP, on loopback. */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import type { HostPort } from '../../runtime/config.ts';

const headersTimeoutMs = 10_000;
const requestTimeoutMs = 60_000;

/** Resolves with the port in use once it listens. Closing waits so long for open answers, then breaks them. */
export function startProxyServer(
  handle: (request: Request) => Promise<Response>,
  options: { readonly listen: HostPort; readonly drainMs: number },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { listen, drainMs } = options;
  const listener = getRequestListener(handle, { overrideGlobalObjects: false });
  const server = createServer(
    { headersTimeout: headersTimeoutMs, requestTimeout: requestTimeoutMs },
    (request, response) => void listener(request, response),
  );
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : listen.port,
        async close() {
          const closed = new Promise<void>((done) => server.close(() => done()));
          server.closeIdleConnections();
          await Promise.race([closed, sleep(drainMs, undefined, { ref: false })]);
          server.closeAllConnections();
          await closed;
        },
      });
    });
  });
}
