/** The sealing proxy: what programs on this machine ask in clear leaves it sealed. */
import { closeOnSignals, createClosing } from '../../runtime/closing.ts';
import { parseConfig } from '../../runtime/config.ts';
import { createLogger } from '../../runtime/log.ts';
import { sealedFetch } from '../client/sealed-fetch.ts';
import { configSchema, help, trustOf } from './config.ts';
import { createHandler } from './handler.ts';
import { startProxyServer } from './server.ts';

const drainMs = 5000;
const closeDeadlineMs = 8000;

const [argument] = process.argv.slice(2);
if (argument !== undefined) {
  const isHelp = argument === '--help' || argument === '-h';
  (isHelp ? process.stdout : process.stderr).write(help);
  process.exit(isHelp ? 0 : 2);
}

const parsed = parseConfig(configSchema, process.env);
if (parsed.kind === 'problems') {
  process.stderr.write(`${parsed.problems.join('\n')}\n\nSee atoma-seal --help.\n`);
  process.exit(2);
}
const { config } = parsed;
const log = createLogger({ name: 'atoma-seal', level: config.ATOMA_LOG_LEVEL });
const closing = createClosing(log);
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });

const { trust, close } = trustOf(config);
closing.add('chain', close);

const handle = createHandler({
  fetchSealed: sealedFetch({
    trust,
    baseUrl: config.ATOMA_BASE_URL,
    apiKey: config.ATOMA_API_KEY,
    streams: config.ATOMA_SEALING_STREAMS,
  }),
  baseUrl: config.ATOMA_BASE_URL,
  parallelMax: config.ATOMA_SEALING_PARALLEL_MAX,
  timeoutMs: config.ATOMA_SEALING_TIMEOUT_MS,
  log,
});
const listen = config.ATOMA_SEALING_LISTEN;
const { port, close: stop } = await startProxyServer(handle, { listen, drainMs });
closing.add('server', stop);
log.info({ url: `http://${listen.host}:${port}/v1`, gateway: config.ATOMA_BASE_URL }, 'ready');
