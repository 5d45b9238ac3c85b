/** The local network of simulated nodes and its chain, as a process of this instance. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ChainDocument, chainDocumentSchema } from '../devnet/network-schema.ts';
import { startChild } from './child.ts';
import { freePorts } from './ports.ts';
import { type Supervised, supervise } from './supervised.ts';
import { type Env, findOnPath } from './tools/path.ts';

export type LocalNetworkOptions = {
  readonly dataDir: string;
  readonly env: Env;
  /** `host:port`; a free port if unset. */
  readonly listen: string | undefined;
  /** Where its nodes tell their addresses. */
  readonly gatewayUrl: string;
  readonly restartDelayMs: number;
  readonly say: (text: string) => void;
};

const stopMs = 2000;
const chainMs = 15_000;
const pollMs = 30;
const notFound = 404;

export async function startLocalNetwork(
  options: LocalNetworkOptions,
): Promise<{ readonly url: string; readonly process: Supervised }> {
  const { dataDir, env, gatewayUrl, restartDelayMs, say } = options;
  const [port = 0] = await freePorts(1);
  const listen = options.listen ?? `127.0.0.1:${port}`;
  const logsDir = join(dataDir, 'logs');
  await mkdir(logsDir, { recursive: true });
  const guard = await findOnPath('setpriv', env);
  const process = await supervise({
    name: 'devnet',
    restartDelayMs,
    onExit: () =>
      say('the local network ended; its plain nodes come back, its chain only with another start'),
    start: () =>
      startChild({
        command: globalThis.process.execPath,
        args: [join(import.meta.dirname, '..', 'devnet', 'main.ts')],
        env: { ...env, ATOMA_DEVNET_LISTEN: listen, ATOMA_DEVNET_GATEWAY_URL: gatewayUrl },
        logFile: join(logsDir, 'devnet.log'),
        stopDeadlineMs: stopMs,
        guard,
      }),
  });
  return { url: `http://${listen}`, process };
}

/** What the network says of its chain; nothing where it has none. @throws where it does not answer in time. */
export async function readChain(networkUrl: string): Promise<ChainDocument | undefined> {
  const endMs = performance.now() + chainMs;
  let last: unknown;
  while (performance.now() < endMs) {
    try {
      const response = await fetch(new URL('/chain', networkUrl));
      if (response.status === notFound) return undefined;
      return chainDocumentSchema.parse(await response.json());
    } catch (cause) {
      last = cause;
      await delay(pollMs);
    }
  }
  const message = `The local network at ${networkUrl} did not start; devnet.log in the data folder tells why.`;
  throw new Error(message, { cause: last });
}
