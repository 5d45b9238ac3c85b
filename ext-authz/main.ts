/** Starts ext-authz: settings, Redis, what is remembered of it, the user's own steps, the service, metrics. */
import { readKeyFile } from '../chain/key-file.ts';
import { signBody, signHash } from '../chain/request-signature.ts';
import { closeOnSignals, createClosing } from '../runtime/closing.ts';
import { configOrThrow } from '../runtime/config.ts';
import { readKeyPassphrase } from '../runtime/key-passphrase.ts';
import { createLogger } from '../runtime/log.ts';
import { createAdmissionMetrics, createRegistry } from '../runtime/metrics.ts';
import { startMetricsServer } from '../runtime/metrics-server.ts';
import { loadPlugins } from '../runtime/plugin.ts';
import { createStorage } from '../storage/storage.ts';
import { createCatalogueView } from './catalogue-view.ts';
import { configSchema } from './config.ts';
import { createKeyCache } from './key-cache.ts';
import type { AdmissionStep, AdmissionTools } from './plugin.ts';
import { startService } from './service.ts';

const name = 'ext-authz';
const closeDeadlineMs = 9000;

const config = configOrThrow(configSchema, process.env);
const log = createLogger({ name, level: config.ATOMA_LOG_LEVEL });
const closing = createClosing(log);
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });
const nowMs = () => Date.now();

// Before anything listens, since a wrong key or plugin must stop the start.
const keyFile = config.ATOMA_STACK_OWNER_KEY_FILE;
const passphrase = await readKeyPassphrase(config);
const signing = keyFile === undefined ? undefined : await readKeyFile(keyFile, { passphrase });
const steps = await loadPlugins<AdmissionTools, AdmissionStep>(config.ATOMA_EXT_AUTHZ_PLUGINS, {
  folder: process.cwd(),
  tools: { log, nowMs },
});

// Without Redis the service starts all the same, and refuses with 503 until it is back.
const storage = await createStorage({ redisUrl: config.REDIS_URL, log });
closing.add('storage', () => storage.close());

// What is known of Redis: keys for less than a second, the catalogue until the next one.
const keys = createKeyCache({ lookUp: storage.apiKeys.find, nowMs });
const forget = (hash: string | undefined) =>
  hash === undefined ? keys.clear() : keys.invalidate(hash);
closing.add('key changes', storage.apiKeys.onChange(forget));
const catalogue = createCatalogueView();
closing.add('catalogue', storage.catalogue.subscribe(catalogue.replace));

const registry = createRegistry(name);
const metricsServer = await startMetricsServer(registry, config.ATOMA_EXT_AUTHZ_METRICS_LISTEN);
closing.add('metrics', () => metricsServer.close());

// Last to open and first to close: open calls still find everything they need.
const service = await startService({
  listen: config.ATOMA_EXT_AUTHZ_LISTEN,
  bodyBytesMax: config.ATOMA_BODY_MAX_BYTES,
  leaseMs: config.ATOMA_LEASE_MS,
  ledger: storage.ledger,
  unitPool: storage.unitPool,
  findKey: keys.find,
  catalogue,
  signSealed: signing ? (hash) => signHash(signing, hash) : undefined,
  locks: storage.nodeLocks,
  isPurchasing: async () =>
    signing !== undefined && (await storage.purchases.isUnderWay(signing.address)),
  signBody: signing ? (text) => signBody(signing, text) : undefined,
  steps,
  nowMs,
  log,
  metrics: createAdmissionMetrics(registry),
});
closing.add('service', () => service.close());
log.info({ port: service.port }, 'ready');
