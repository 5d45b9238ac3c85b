/** Opens and closes HTTP servers on loopback. */
import type { Server } from 'node:http';

/** Resolves when it listens; closing drops every connection. */
export function listenOn(
  server: Server,
  options: { host: string; port: number },
): Promise<{ url: string; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...options, backlog: 4096 }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : options.port;
      const close = () =>
        new Promise<void>((closed) => {
          server.close(() => closed());
          server.closeAllConnections();
        });
      resolve({ url: `http://${options.host}:${port}`, close });
    });
  });
}
