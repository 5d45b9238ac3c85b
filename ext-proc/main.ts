/** Starts ext-proc: meters answers, settles them, and resolves what was left open. */

import { closeOnSignals, createClosing } from '../runtime/closing.ts';
import { configOrThrow } from '../runtime/config.ts';
import { startGrpcServer } from '../runtime/grpc-server.ts';
import { createLogger } from '../runtime/log.ts';
import { createExchangeMetrics, createRegistry } from '../runtime/metrics.ts';
import { startMetricsServer } from '../runtime/metrics-server.ts';
import { loadPlugins } from '../runtime/plugin.ts';
import { createStorage } from '../storage/storage.ts';
import { createCauses } from './causes.ts';
import { createChain } from './chain.ts';
import { configSchema } from './config.ts';
import { createLeases } from './leases.ts';
import type { ExtProcPlugin, ExtProcTools } from './plugin.ts';
import { createNodeSignature } from './plugins/node-signature.ts';
import { createSealedAnswer } from './plugins/sealed-answer.ts';
import { createSettle } from './plugins/settle.ts';
import { createReconciler } from './reconciler.ts';
import { createRefusals } from './refusals.ts';
import { addServices } from './server.ts';
import { createSettlements } from './settlement.ts';
import { startSweeping } from './sweeping.ts';

const closeDeadlineMs = 9500;
const streamDrainMs = 5000;
const settleDrainMs = 3000;
const sweepEveryMs = 5000;
/** Envoy's largest buffered body, with room for its metadata. */
const messageBytesMax = 257 * 2 ** 20;

const config = configOrThrow(configSchema, process.env);
const log = createLogger({ name: 'ext-proc', level: config.ATOMA_LOG_LEVEL });
const closing = createClosing(log);
// Early, so that a signal during the start closes what has started.
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });

const nowMs = () => Date.now();
const random = () => Math.random();
const registry = createRegistry('ext-proc');
const metrics = createExchangeMetrics(registry);

const metricsServer = await startMetricsServer(registry, config.ATOMA_EXT_PROC_METRICS_LISTEN);
closing.add('metrics', () => metricsServer.close());

const storage = await createStorage({ redisUrl: config.REDIS_URL, log });
closing.add('storage', () => storage.close());
const { ledger, unitPool: units, sweeper } = storage;

// Closed before the storage: settlements must reach the ledger first.
const settlements = createSettlements({
  ledger,
  units,
  log,
  retries: metrics.settleRetries,
  late: metrics.lateSettlements,
  random,
});
closing.add('settlements', () => settlements.drain(settleDrainMs));

const leases = createLeases({ ledger, units, leaseMs: config.ATOMA_LEASE_MS, log });
closing.add('leases', () => leases.close());

// Closed before the settlements: what still waits for its cause is settled without one.
const causes = createCauses({ notices: storage.causeNotices });
closing.add('causes', () => causes.close());

const reconciler = createReconciler({
  ledger,
  settlements,
  causes,
  reconciled: metrics.reconciled,
  log,
  nowMs,
});
closing.add('reconciler', () => reconciler.close());

const sweeping = startSweeping({
  sweep: async (signal) => (await sweeper.sweep(signal)).expiredReservations,
  everyMs: sweepEveryMs,
  swept: metrics.swept,
  log,
  random,
});
closing.add('sweeping', () => sweeping.close());

const users = await loadPlugins<ExtProcTools, ExtProcPlugin>(config.ATOMA_EXT_PROC_PLUGINS, {
  folder: process.cwd(),
  tools: { log },
});
const plugins = createChain({
  nodeSignature: createNodeSignature({
    coverage: config.ATOMA_SIGNATURE_COVERAGE,
    refused: metrics.suspectNodes,
  }),
  sealedAnswer: createSealedAnswer({
    coverage: config.ATOMA_SIGNATURE_COVERAGE,
    refused: metrics.suspectNodes,
    repeatedNonces: metrics.repeatedNonces,
  }),
  settle: createSettle({ settlements, metrics, nowMs }),
  users,
});

const refusals = createRefusals({ stacks: units, refused: metrics.refusals, log });

const tools = { plugins, leases, causes, refusals, metrics, log, nowMs };

// Last to start and first to close: open streams end while everything behind them still works.
const server = await startGrpcServer({
  listen: config.ATOMA_EXT_PROC_LISTEN,
  messageBytesMax,
  drainMs: streamDrainMs,
  register: (added) => addServices(added, { ...tools, reconciler }),
});
closing.add('server', () => server.close());

log.info({ port: server.port, plugins: plugins.map(({ name }) => name) }, 'ready');
