/** ext-proc over a real Redis, in this process, on free ports: what the tests of this folder talk to. */
import { randomUUID } from 'node:crypto';
import { noLimits } from '../../domain/api-key.ts';
import type { Exchange } from '../../domain/exchange.ts';
import { picoUsd } from '../../domain/money.ts';
import { costBoundOf } from '../../domain/price.ts';
import type { UsageRecord } from '../../domain/reservation.ts';
import { noUsage } from '../../domain/usage.ts';
import { startGrpcServer } from '../../runtime/grpc-server.ts';
import { createExchangeMetrics, createRegistry } from '../../runtime/metrics.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { createCauses } from '../causes.ts';
import { createChain } from '../chain.ts';
import { createLeases } from '../leases.ts';
import type { ExtProcPlugin } from '../plugin.ts';
import { createNodeSignature } from '../plugins/node-signature.ts';
import { createSealedAnswer } from '../plugins/sealed-answer.ts';
import { createSettle } from '../plugins/settle.ts';
import { createReconciler } from '../reconciler.ts';
import { createRefusals } from '../refusals.ts';
import { addServices } from '../server.ts';
import { createSettlements } from '../settlement.ts';
import { createEnvoy } from './wire.ts';

export const price = {
  version: 'p1',
  inputToken: picoUsd(10n),
  cachedInputToken: picoUsd(5n),
  outputToken: picoUsd(30n),
  image: picoUsd(1000n),
  imagePixel: picoUsd(0n),
};

export const estimatedInputTokens = 20;

export async function startGateway(options: {
  readonly redisUrl: string;
  readonly plugins?: readonly ExtProcPlugin[];
}) {
  const log = silentLog;
  const storage = await createStorage({ redisUrl: options.redisUrl, log });
  const { ledger, unitPool: units } = storage;
  const metrics = createExchangeMetrics(createRegistry('test'));
  const nowMs = () => Date.now();
  const settlements = createSettlements({
    ledger,
    units,
    log,
    retries: metrics.settleRetries,
    late: metrics.lateSettlements,
    random: () => 0,
  });
  const leases = createLeases({ ledger, units, leaseMs: 3000, log });
  const reconciled = metrics.reconciled;
  const causes = createCauses({ notices: storage.causeNotices, waitMs: 100 });
  const common = { ledger, settlements, causes, log, nowMs };
  const reconciler = createReconciler({ ...common, reconciled, graceMs: 50 });
  const plugins = createChain({
    nodeSignature: createNodeSignature({ coverage: 'ends', refused: metrics.suspectNodes }),
    sealedAnswer: createSealedAnswer({
      coverage: 'ends',
      refused: metrics.suspectNodes,
      repeatedNonces: metrics.repeatedNonces,
    }),
    settle: createSettle({ settlements, metrics, nowMs }),
    users: options.plugins ?? [],
  });
  const refusals = createRefusals({ stacks: units, refused: metrics.refusals, log });
  const server = await startGrpcServer({
    listen: { host: '127.0.0.1', port: 0 },
    messageBytesMax: 2 ** 24,
    drainMs: 100,
    register: (added) =>
      addServices(added, { plugins, leases, causes, refusals, metrics, log, nowMs, reconciler }),
  });
  const envoy = createEnvoy(server.port);
  const { id: accountId } = await storage.accounts.create({ name: 'test' });
  await storage.accounts.credit({ accountId, amount: picoUsd(10n ** 12n), reference: 'test' });

  return {
    envoy,
    ...createAccountView(storage, accountId),
    storage,
    accountId,
    metrics,
    async close() {
      envoy.close();
      await server.close();
      reconciler.close();
      causes.close();
      leases.close();
      await settlements.drain(1000);
      storage.close();
    },
  };
}

function createAccountView(storage: Storage, accountId: string) {
  /** Reserves as ext-authz does. */
  async function reserve(changes: Partial<Exchange> = {}): Promise<Exchange> {
    const bound = { ...noUsage, inputTokens: 100, outputTokens: 50, images: 2 };
    const exchange: Exchange = {
      requestId: randomUUID(),
      accountId,
      keyId: 'key',
      model: 'm',
      endpoint: 'chat',
      stream: true,
      usageWanted: false,
      price,
      reserved: costBoundOf(price, changes.bound ?? bound),
      bound,
      estimatedInputTokens,
      units: 0,
      startedMs: Date.now(),
      edits: [],
      sealed: undefined,
      ...changes,
    };
    const { requestId, keyId, model, endpoint, reserved: amount } = exchange;
    const order = { requestId, accountId, keyId, model, endpoint, amount, limits: noLimits };
    const result = await storage.ledger.reserve({ ...order, tokens: 10, leaseMs: 60_000 });
    if (result.kind !== 'reserved') throw new Error(`refused: ${result.kind}`);
    return exchange;
  }

  /** Waits until the reservation is over and gives its usage record. */
  async function recordOf({ requestId }: Exchange): Promise<UsageRecord & { cost: bigint }> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      if (!(await storage.ledger.isOpen({ accountId, requestId }))) return findRecord(requestId);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('the reservation stays open');
  }

  async function findRecord(requestId: string): Promise<UsageRecord & { cost: bigint }> {
    const page = await storage.usage.page({ accountId, limit: 100, before: undefined });
    const found = (page?.lines ?? []).filter(({ record }) => record.requestId === requestId);
    const [first] = found;
    if (!first || found.length > 1) throw new Error(`${found.length} records`);
    return { ...first.record, cost: first.charged };
  }

  return { reserve, recordOf };
}

export type Gateway = Awaited<ReturnType<typeof startGateway>>;
