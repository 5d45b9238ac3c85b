/** Has an HTTP server listen. */
import type { Server } from 'node:http';
import type { HostPort } from './config.ts';

/** Resolves with the port in use once it listens; rejects where the address is taken. */
export function listenHttp(server: Server, { host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
