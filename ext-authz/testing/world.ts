/** An account with money, keys and models in a real Redis, and any number of admission services over it. */
import { randomBytes, randomUUID } from 'node:crypto';
import { parseKeystoreEntry, toKeystoreEntry } from '../../chain/keystore.ts';
import { signBody, signHash } from '../../chain/request-signature.ts';
import { type KeyLimits, noLimits, scopes } from '../../domain/api-key.ts';
import type { Model } from '../../domain/model.ts';
import { type PicoUsd, picoUsd } from '../../domain/money.ts';
import { createAdmissionMetrics, createRegistry } from '../../runtime/metrics.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import type { NewKey } from '../../storage/api-keys.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { createCatalogueView } from '../catalogue-view.ts';
import { createKeyCache } from '../key-cache.ts';
import type { AdmissionStep } from '../plugin.ts';
import { startService } from '../service.ts';
import { createAsker } from './wire.ts';

const nowMs = () => Date.now();

/** A model that plain OpenAI nodes serve for a pico-dollar per token, unless told otherwise. */
export const modelNamed = (id: string, parts: Partial<Model> = {}): Model => ({
  id,
  createdSeconds: 0,
  ownedBy: 'test',
  endpoints: ['chat', 'completions', 'embeddings', 'images'],
  protocols: ['openai'],
  contextTokensMax: 8192,
  outputTokensMax: 1000,
  mediaTokensMax: 1000,
  price: {
    version: 'v1',
    inputToken: picoUsd(1n),
    cachedInputToken: picoUsd(1n),
    outputToken: picoUsd(1n),
    image: picoUsd(1n),
    imagePixel: picoUsd(1n),
  },
  ...parts,
});

export type ReplicaOptions = {
  readonly redisUrl: string;
  readonly models: readonly Model[];
  readonly steps?: readonly AdmissionStep[];
  /** As if the announcements of key changes were lost. */
  readonly deaf?: boolean;
  readonly withoutSigningKey?: boolean;
};

/** One admission service with connections of its own, and a client of it. */
export async function startReplica(options: ReplicaOptions) {
  const storage = await createStorage({ redisUrl: options.redisUrl, log: silentLog });
  const keys = createKeyCache({ lookUp: storage.apiKeys.find, nowMs });
  if (options.deaf !== true) {
    storage.apiKeys.onChange((hash) => (hash ? keys.invalidate(hash) : keys.clear()));
  }
  const catalogue = createCatalogueView();
  catalogue.replace({ version: '1', models: options.models });
  const signing = parseKeystoreEntry(toKeystoreEntry(randomBytes(32)));
  const registry = createRegistry('test');
  const service = await startService({
    listen: { host: '127.0.0.1', port: 0 },
    bodyBytesMax: 2 ** 20,
    leaseMs: 60_000,
    ledger: storage.ledger,
    unitPool: storage.unitPool,
    findKey: keys.find,
    catalogue,
    signSealed: signing ? (hash) => signHash(signing, hash) : undefined,
    locks: storage.nodeLocks,
    isPurchasing: () => storage.purchases.isUnderWay(signing?.address ?? ''),
    signBody: signing && !options.withoutSigningKey ? (text) => signBody(signing, text) : undefined,
    steps: options.steps ?? [],
    nowMs,
    log: silentLog,
    metrics: createAdmissionMetrics(registry),
  });
  const asker = createAsker(service.port);
  return {
    ...asker,
    storage,
    signerAddress: signing?.address,
    metrics: () => registry.metrics(),
    async close() {
      asker.close();
      await service.close();
      storage.close();
    },
  };
}

/** A funded account and a function that makes keys for it. */
export async function createCaller(storage: Storage, funds: bigint) {
  const { id: accountId } = await storage.accounts.create({ name: 'test' });
  const amount: PicoUsd = picoUsd(funds);
  await storage.accounts.credit({ accountId, amount, reference: 'first' });
  return {
    accountId,
    balance: () => storage.ledger.balance(accountId),
    createKey: (parts: Partial<NewKey> & { limits?: KeyLimits } = {}) =>
      storage.apiKeys.create({
        accountId,
        name: 'test',
        expiresMs: undefined,
        scopes,
        models: undefined,
        limits: noLimits,
        ...parts,
      }),
  };
}

/** The headers that Envoy would pass on for a caller with this key. */
export const headersWith = (key: string) => ({
  authorization: `Bearer ${key}`,
  'x-request-id': randomUUID(),
});

/** A small chat request; 10 output tokens at most. */
export const chatBody = (parts: Readonly<Record<string, unknown>> = {}) =>
  JSON.stringify({
    model: 'plain',
    messages: [{ role: 'user', content: 'hello' }],
    max_tokens: 10,
    ...parts,
  });
