/** A treasury with a task of its own on a shared chain, and what keeps stacks for it and pays what is withdrawn. */
import { randomBytes, randomUUID } from 'node:crypto';
import { createEventTypes } from '../../chain/bcs/event-types.ts';
import { defaultSamplingRates } from '../../chain/costs.ts';
import { createKeeper } from '../../chain/keeper/keeper.ts';
import type { KeeperSettings, TaskNeed } from '../../chain/keeper/plan.ts';
import type { SigningKey } from '../../chain/keystore.ts';
import { nodeSmallId, type SuiAddress, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createAccounts } from '../../storage/accounts.ts';
import { createKeeperStore } from '../../storage/keeper-store.ts';
import { createWithdrawalBook } from '../../storage/withdrawal-book.ts';
import { booksOf } from './books.ts';
import { createFuse } from './fuse.ts';
import type { World } from './world.ts';

export const stackPrice = 1500n;
export const settings: KeeperSettings = {
  runwayHours: 1n,
  runwayUnitsMin: 1_500_000n,
  unitsPerStack: 1_000_000n,
  budgetPerHour: 1_000_000n,
  budgetPerDay: 1_000_000n,
  priceCapPerMillion: 2000n,
  acceptablePercentMin: 50n,
  ordersMax: 10,
};
/** Stacks that fill the runway of these settings: each brings 950,000 units. */
export const stacksForRunway = 2;

const startMs = 1_700_000_000_000;
const gasBudgetMist = 50_000_000n;

type PlayOptions = {
  readonly usdc?: bigint;
  readonly mist?: bigint;
  /** What the chain asks; none subscribes nobody. */
  readonly askedPrice?: bigint | undefined;
  readonly securityLevel?: number;
  /** What the keeper believes, where that differs. */
  readonly believed?: Partial<TaskNeed>;
  readonly settings?: Partial<KeeperSettings>;
};

export type Play = Awaited<ReturnType<typeof startPlay>>;

/** A treasury with a task of its own, and keepers that die and come back. */
export async function startPlay(world: World, options: PlayOptions = {}) {
  const { chain, node, contract } = world;
  const { usdc = 100_000n, mist = 10_000_000_000n, securityLevel = 1 } = options;
  const askedPrice = 'askedPrice' in options ? options.askedPrice : stackPrice;
  const [treasury, stackOwner] = [world.nextKey(), world.nextKey()];
  const [task = 0n] = world.seed.createTasks([{ model: 'model', securityLevel }]);
  const nodeOwner = world.nextKey().address;
  const [seller] = world.seed.registerNodes([nodeOwner]);
  if (seller && askedPrice !== undefined) {
    world.seed.subscribe([{ node: seller, taskSmallId: task, price: askedPrice }]);
  }
  fundTreasury(world, { address: treasury.address, usdc, mist });
  const taskId = taskSmallId(task);
  const from = chain.chain.ledger.history.height();
  const fuse = createFuse();
  const clock = { ms: startMs };
  const used = new Map<bigint, bigint>();
  const records = recordsOf(world, treasury);
  const ownStacks = () => readStacks(node, suiAddress(stackOwner.address));
  const believed: TaskNeed = {
    taskId,
    securityLevel,
    isDeprecated: false,
    unitsPerHour: 0n,
    stacks: [],
    asks: [askOf(seller?.nodeSmallId ?? 0n, askedPrice ?? stackPrice)],
    ...options.believed,
  };
  const needs = async (): Promise<TaskNeed> => ({
    ...believed,
    stacks: (await ownStacks()).map(({ id, value }) => ({
      units: value.units,
      used: used.get(id) ?? 0n,
    })),
  });

  const startKeeper = (other: { readonly stackOwner?: SigningKey } = {}) =>
    createKeeper({
      node: fuse.node(node),
      store: fuse.store(records.store),
      withdrawals: fuse.withdrawals(records.withdrawals),
      treasury,
      stackOwner,
      ...other,
      contract,
      eventTypes: createEventTypes([contract.packageId]),
      usdcType: chain.chain.usdcType,
      gasBudgetMist,
      settings: { ...settings, ...options.settings },
      observe: async () => ({ tasks: [await needs()], rates: defaultSamplingRates }),
      randomBytes,
      nowMs: () => clock.ms,
      log: silentLog,
    });

  return {
    treasury,
    stackOwner,
    seller,
    taskId,
    fuse,
    clock,
    used,
    ...records,
    needs,
    ownStacks,
    startKeeper,
    ended: async () => (await records.store.load(0)).ended,
    books: () =>
      booksOf(chain, {
        treasury: treasury.address,
        stackOwner: stackOwner.address,
        recipients: records.recipients,
        from,
        funded: { usdc, mist },
      }),
  };
}

function recordsOf({ redis, ids, nextKey }: World, treasury: SigningKey) {
  const id = { redis, chainId: ids.chainId, address: suiAddress(treasury.address) };
  const accounts = createAccounts({ redis, nowMs: () => startMs, randomId: randomUUID });
  return {
    store: createKeeperStore(id),
    accounts,
    withdrawals: createWithdrawalBook({ ...id, accounts }),
    /** Who is paid what is withdrawn. */
    recipients: [nextKey(), nextKey()].map(({ address }) => suiAddress(address)),
  };
}

const askOf = (nodeId: bigint, pricePerMillion: bigint) => ({
  nodeId: nodeSmallId(nodeId),
  pricePerMillion,
  unitsMax: 1_000_000n,
  isAcceptable: true,
});

/** In several coins, as life leaves them. */
function fundTreasury(
  { chain }: World,
  { address, usdc, mist }: { address: string; usdc: bigint; mist: bigint },
): void {
  for (const part of [usdc / 2n, usdc / 4n, usdc - usdc / 2n - usdc / 4n]) {
    chain.fund(address, part);
  }
  chain.fundGas(address, mist);
}

async function readStacks(node: World['node'], owner: SuiAddress) {
  const { signal } = new AbortController();
  const { database } = await node.database(signal);
  const own = [];
  for await (const page of node.stacks(database.stacks, signal)) {
    own.push(...page.filter(({ value }) => value.owner === owner));
  }
  return own;
}
