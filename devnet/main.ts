/** Starts the local network and serves the list of its nodes. */
import { closeOnSignals, createClosing } from '../runtime/closing.ts';
import { configOrThrow } from '../runtime/config.ts';
import { createLogger } from '../runtime/log.ts';
import { devnetConfig } from './config.ts';
import { localModels, localNodes } from './local-network.ts';
import { startDevnet } from './network.ts';

const closeDeadlineMs = 5000;

const config = configOrThrow(devnetConfig, process.env);
const log = createLogger({ name: 'devnet', level: config.ATOMA_LOG_LEVEL });
const closing = createClosing(log);
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });

const devnet = await startDevnet({
  models: localModels,
  nodes: localNodes,
  stackOwnerAddress: config.ATOMA_STACK_OWNER_ADDRESS,
  stackUnits: config.ATOMA_DEVNET_STACK_UNITS,
  ...config.ATOMA_DEVNET_LISTEN,
});
closing.add('devnet', devnet.close);

log.info({ url: devnet.url, nodes: devnet.nodes.map(({ id, url }) => ({ id, url })) }, 'ready');
