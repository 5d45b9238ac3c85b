/** The control plane's process: finds nodes, configures Envoys, publishes the catalogue, answers the API. */
import { closeOnSignals, createClosing } from '../runtime/closing.ts';
import { configOrThrow } from '../runtime/config.ts';
import { startGrpcServer } from '../runtime/grpc-server.ts';
import { readKeyPassphrase } from '../runtime/key-passphrase.ts';
import { createLogger } from '../runtime/log.ts';
import {
  createChainMetrics,
  createFleetMetrics,
  createRegistry,
  createTreasuryMetrics,
} from '../runtime/metrics.ts';
import { startMetricsServer } from '../runtime/metrics-server.ts';
import { createStorage } from '../storage/storage.ts';
import { createAds } from './ads/server.ts';
import { startApiServer } from './api/server.ts';
import { startChain } from './chain.ts';
import { chainSettingsOf } from './chain-settings.ts';
import { configSchema } from './config.ts';
import { startHub } from './discovery/hub.ts';
import { systemLookup } from './discovery/resolve.ts';
import { createSources } from './discovery/sources.ts';
import { createObserver } from './observing.ts';
import { Publisher } from './publisher.ts';
import { requestHooksOf } from './request-hooks.ts';
import { settingsFrom } from './settings.ts';
import { translate } from './translate/translate.ts';
import { openParties } from './treasury/keys.ts';

const closeDeadlineMs = 8000;
const drainMs = 2000;
const sourcePatienceMs = 5000;
/** Envoy's requests for configuration name every resource that it knows. */
const messageBytesMax = 16 * 2 ** 20;

const config = configOrThrow(configSchema, process.env);
const folder = process.cwd();
const log = createLogger({ name: 'control-plane', level: config.ATOMA_LOG_LEVEL });
const closing = createClosing(log);
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });

// First of all, so that a start that hangs can be seen.
const registry = createRegistry('control-plane');
const metrics = createFleetMetrics(registry);
const metricsServer = await startMetricsServer(registry, config.ATOMA_CONTROL_PLANE_METRICS_LISTEN);
closing.add('metrics', () => metricsServer.close());

// Plugins and keys before anything that listens: one that cannot be used stops the start.
const requestHooks = await requestHooksOf(config.ATOMA_EXT_PROC_PLUGINS, { folder, log });
const settings = settingsFrom(config, requestHooks);
const chainSettings = chainSettingsOf(config);
const passphrase = await readKeyPassphrase(config);
const parties = chainSettings && (await openParties(chainSettings, passphrase));
const countFailure = (source: string) => metrics.discoveryFailures.inc({ source });
const tools = { log, lookup: systemLookup, countFailure };
const sources = await createSources(config, { folder, tools });

// Without Redis, Envoys are configured all the same.
const storage = await createStorage({ redisUrl: config.REDIS_URL, log });
closing.add('storage', () => storage.close());

// The chain after what the operator says: a file may describe its models better.
const chain =
  chainSettings &&
  parties &&
  startChain(
    { ...chainSettings, parties },
    {
      storage,
      metrics: createChainMetrics(registry),
      treasuryMetrics: createTreasuryMetrics(registry),
      countFailure,
      log,
    },
  );
if (chain) closing.add('chain', () => chain.close());

const ads = createAds({ log, metrics });
const publisher = new Publisher({
  configure: (fleet) => ads.publish(translate(fleet, settings)),
  untilAccepted: ads.waitForAck,
  publish: storage.catalogue.publish,
  publishedVersion: async () => (await storage.catalogue.read()).version,
  listPrices: storage.prices.list,
  stackUse: async (model) => {
    const { stacks } = await storage.unitPool.state(model);
    return new Map(stacks.map((stack) => [stack.id, stack]));
  },
  syncStacks: storage.unitPool.syncStacks,
  publishSealingKeys: storage.nodeLocks.publishKeys,
  observe: createObserver(metrics),
  nowMs: () => performance.now(),
  log,
});
closing.add('publisher', () => publisher.close());
closing.add(
  'prices',
  storage.prices.onChange(() => publisher.refresh()),
);
closing.add(
  'refusals',
  storage.unitPool.onRefusal(() => publisher.refresh()),
);

// Discovery before the servers, so that the first Envoy to ask finds an answer.
const hub = await startHub({
  sources: chain ? [...sources, chain.source] : sources,
  patienceMs: sourcePatienceMs,
  notify: (fleet) => publisher.setFleet(fleet),
  log,
});
closing.add('discovery', () => hub.close());

const grpc = await startGrpcServer({
  listen: config.ATOMA_CONTROL_PLANE_LISTEN,
  messageBytesMax,
  drainMs,
  register: (server) => ads.register(server),
});
closing.add('grpc', () => grpc.close());
// Streams of configuration never end by themselves; they are ended before the server waits for them.
closing.add('ads', () => ads.close());

const api = await startApiServer(
  {
    catalogue: () => publisher.catalogue,
    findKey: storage.apiKeys.get,
    findAccount: storage.accounts.get,
    usagePage: storage.usage.page,
    locks: {
      fleet: () => publisher.fleet,
      addLock: storage.nodeLocks.add,
      random: () => Math.random(),
    },
    nodes: chain?.desk,
    deposits: chain?.deposits,
    ping: storage.ping,
    log,
  },
  config.ATOMA_API_LISTEN,
);
closing.add('api', () => api.close());

log.info(
  { xds: config.ATOMA_CONTROL_PLANE_LISTEN, api: config.ATOMA_API_LISTEN, requestHooks },
  'ready',
);
