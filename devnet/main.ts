/** Starts the local network: a chain, the Atoma nodes that live on it, plain nodes, and the list of these. */
import { closeOnSignals, createClosing } from '../runtime/closing.ts';
import { configOrThrow } from '../runtime/config.ts';
import { createLogger } from '../runtime/log.ts';
import { devnetConfig } from './config.ts';
import { startLocalChain } from './local-chain.ts';
import { chainModels, localModels, localNodes } from './local-network.ts';
import { startDevnet } from './network.ts';

const closeDeadlineMs = 5000;

const config = configOrThrow(devnetConfig, process.env);
const log = createLogger({ name: 'devnet', level: config.ATOMA_LOG_LEVEL });
const closing = createClosing(log);
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });

// No earlier chain has reached these ids, whatever a gateway keeps of it.
const firstSmallId = BigInt(Date.now());
const chain = await startLocalChain({
  models: chainModels,
  firstSmallId,
  ...config.ATOMA_DEVNET_SUI_LISTEN,
});
closing.add('chain', chain.close);

const devnet = await startDevnet({
  models: localModels,
  nodes: localNodes,
  chain,
  gatewayUrl: config.ATOMA_DEVNET_GATEWAY_URL,
  log,
  ...config.ATOMA_DEVNET_LISTEN,
});
closing.add('devnet', devnet.close);

const nodes = devnet.nodes.map(({ id, url }) => ({ id, url }));
log.info({ url: devnet.url, fullNode: chain.place.fullNode, nodes }, 'ready');
