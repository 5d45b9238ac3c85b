/** The indexer and the stand-in full node, written apart from each other, over the real protocol. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FullNode as StandIn, startFullNode } from '../../devnet/sui/full-node.ts';
import {
  type AtomaWorld,
  acquireStack,
  createSuiClient,
  fundBoth,
  keyOf,
  setUpAtoma,
} from '../../devnet/sui/testing.ts';
import { signAndSend, success } from '../../devnet/sui/wallet.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createChainStore } from '../../storage/chain-store.ts';
import { type OwnRedis, openRedis } from '../../storage/testing.ts';
import { startRedis } from '../../test/redis.ts';
import { until } from '../../test/until.ts';
import { createEventTypes } from '../bcs/event-types.ts';
import { createFullNode } from '../client.ts';
import { followChain } from './follower.ts';
import type { ChainStore } from './store.ts';

const buyer = keyOf(50);
const owner = suiAddress(buyer.toSuiAddress());

let own: OwnRedis;
let standIn: StandIn;
let world: AtomaWorld;
let stores = 0;

beforeAll(async () => {
  own = await openRedis(await startRedis());
  standIn = await startFullNode({ checkpointMs: 50 });
  world = setUpAtoma(standIn.chain, [1000n, 1200n]);
});
afterAll(async () => {
  await standIn.close();
  await own.close();
});

function newStore(): ChainStore {
  stores += 1;
  return createChainStore({
    redis: own.redis,
    databaseId: suiAddress(`0x${String(stores).padStart(64, '0')}`),
  });
}

/** Follows the stand-in into the store until stopped. */
function follow(store: ChainStore) {
  const definingPackage = suiAddress(world.packageId);
  const fullNode = createFullNode({
    host: standIn.address,
    tls: false,
    pauseMs: () => 5,
    callDeadlineMs: 2000,
    ids: {
      chainId: standIn.chain.chainId(),
      definingPackage,
      databaseId: suiAddress(world.dbId),
    },
  });
  const ending = new AbortController();
  const running = followChain(
    {
      ...{ fullNode, store, definingPackage, owner, log: silentLog },
      types: createEventTypes([definingPackage]),
      knownPackages: [definingPackage],
      jumpsWhenPruned: false,
      nowMs: () => performance.now(),
      pollMs: 50,
      backoffMs: () => 10,
    },
    ending.signal,
  );
  return async () => {
    ending.abort();
    await running;
    fullNode.close();
  };
}

const tablesOf = async (store: ChainStore) => {
  const state = (await store.load())?.state;
  const rows = (table: ReadonlyMap<string, unknown> | undefined) =>
    [...(table ?? [])].sort(([left], [right]) => left.localeCompare(right));
  return {
    tasks: rows(state?.tasks),
    subscriptions: rows(state?.subscriptions),
    stacks: rows(state?.stacks),
    keys: rows(state?.keys).map(([id]) => id),
  };
};

async function buy(units: bigint): Promise<void> {
  const { usdcCoinId } = fundBoth(standIn.chain, owner, 10_000_000n);
  const client = createSuiClient(standIn.address);
  const tx = acquireStack(world, { sender: owner, usdcCoinId, units });
  success(await signAndSend(client, { tx, key: buyer }));
}

describe('the indexer before the stand-in full node', () => {
  it('knows a subscription within two seconds, and a purchase', async () => {
    const store = newStore();
    const stop = follow(store);
    await until('it reads the objects', async () => (await tablesOf(store)).tasks.length === 1);
    const [late] = world.seed.registerNodes([keyOf(9).toSuiAddress()]);
    if (!late) throw new Error('registering gives a node');
    const startMs = performance.now();
    world.seed.subscribe([{ node: late, taskSmallId: 1n, price: 900n }]);
    await until('it knows', async () => (await tablesOf(store)).subscriptions.length === 3);
    expect(performance.now() - startMs).toBeLessThan(2000);
    await buy(500_000n);
    await until('it knows the stack', async () => (await tablesOf(store)).stacks.length === 1);
    await stop();
  });

  it('ends with what the objects tell, whatever went wrong on the way', async () => {
    const store = newStore();
    const stop = follow(store);
    await until('it follows', async () => (await tablesOf(store)).tasks.length > 0);
    const [node] = world.nodes;
    if (!node) throw new Error('there is a node');
    const { faults } = standIn;

    faults.set({ cutStreams: { afterFrames: 1, how: 'end' }, indexLagCheckpoints: 2 });
    await buy(100_000n);
    world.seed.unsubscribe(node, 1n);
    faults.set({ cutStreams: { afterFrames: 2, how: 'error' }, scanCheckpointsMax: 1 });
    const counter = world.seed.rotateNetworkKeys();
    const key = { publicKey: new Uint8Array(32).fill(7), evidence: new Uint8Array(8), counter };
    world.seed.commitKey(node, key);
    await standIn.restart(100);
    faults.set({ cutStreams: null, unimplemented: ['LedgerService/ListEvents'] });
    world.seed.createTasks([{ model: 'another-model' }]);
    await buy(200_000n);

    const fresh = newStore();
    faults.set({ unimplemented: [], indexLagCheckpoints: 0, scanCheckpointsMax: 10_000 });
    const stopFresh = follow(fresh);
    await until('both agree on all', async () => {
      const [one, other] = [await tablesOf(store), await tablesOf(fresh)];
      return (
        one.tasks.length === 2 && JSON.stringify(one, bigints) === JSON.stringify(other, bigints)
      );
    });
    expect((await tablesOf(store)).stacks).toHaveLength(3);
    expect((await tablesOf(store)).subscriptions).toHaveLength(2);
    expect((await tablesOf(store)).keys).toHaveLength(1);
    await stop();
    await stopFresh();
  });
});

const bigints = (_name: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value);
