/** Buyers that are killed by SIGKILL, as processes of their own, one after the other over one treasury. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toKeystoreEntry } from '../../chain/keystore.ts';
import { createRandom } from '../../chain/testing/random.ts';
import { nodeSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import { createKeeperStore } from '../../storage/keeper-store.ts';
import { booksOf } from '../../test/keeper/books.ts';
import { type BuyerOrder, readOwnStacks } from '../../test/keeper/buyer-order.ts';
import { stackPrice } from '../../test/keeper/play.ts';
import { startWorld, type World } from '../../test/keeper/world.ts';
import { testKey } from '../nodes/testing.ts';

const script = join(import.meta.dirname, '../../test/keeper/buyer.ts');
const nothing = { usdc: 0n, mist: 0n };
const usdc = 10_000_000n;
const mist = 100_000_000_000n;
const atOnce = 3;
/** More stacks than all lives together buy. */
const endless = 5000;
/** The calls of two purchases and more. */
const callsMax = 40;
const callsPerCheck = 10;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

/** Processes that are ready before they are needed, since starting one takes far longer than a purchase. */
function createBuyers() {
  const waiting: Promise<ChildProcess>[] = [];
  const boot = async () => {
    const child = fork(script, {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    return child;
  };
  const fill = () => {
    while (waiting.length < atOnce) waiting.push(boot());
  };
  return {
    async next(order: BuyerOrder): Promise<ChildProcess> {
      fill();
      const child = await (waiting.shift() ?? boot());
      fill();
      child.send(order);
      return child;
    },
    async close(): Promise<void> {
      for (const child of await Promise.all(waiting)) await kill(child);
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** A treasury of its own with a task that one node serves. */
function startTreasury(byte: number) {
  const { chain, seed, ids } = world;
  const [treasury, stackOwner] = [testKey(byte), testKey(byte + 1)];
  const [task = 0n] = seed.createTasks([{ model: `model-${byte}`, securityLevel: 1 }]);
  const [seller] = seed.registerNodes([testKey(byte + 2).address]);
  if (!seller) throw new Error('registering gives a node');
  seed.subscribe([{ node: seller, taskSmallId: task, price: stackPrice }]);
  for (let part = 0; part < 4; part += 1) chain.fund(treasury.address, usdc / 4n);
  chain.fundGas(treasury.address, mist);
  const from = chain.chain.ledger.history.height();
  const order = (stacksWanted: number, broken?: BuyerOrder['broken']): BuyerOrder => ({
    redisUrl: world.redisUrl,
    fullNode: chain.address,
    ...ids,
    usdcType: chain.chain.usdcType,
    treasury: toKeystoreEntry(new Uint8Array(32).fill(byte)),
    stackOwner: toKeystoreEntry(new Uint8Array(32).fill(byte + 1)),
    taskId: taskSmallId(task),
    nodeId: nodeSmallId(seller.nodeSmallId),
    pricePerMillion: stackPrice,
    stacksWanted,
    broken,
  });
  const address = suiAddress(treasury.address);
  const store = createKeeperStore({ redis: world.redis, chainId: ids.chainId, address });
  return {
    order,
    stackCount: async () =>
      (await readOwnStacks(world.node, suiAddress(stackOwner.address))).length,
    /** Every coin is where it should be, and each stack is one purchase in the records. */
    async expectSound(stacks: number): Promise<void> {
      const { ended, operation } = await store.load(0);
      const bought = ended.flatMap((each) => (each.kind === 'bought' ? [each.stackId] : []));
      expect(operation).toBeUndefined();
      expect(new Set(bought).size).toBe(stacks);
      expect(bought).toHaveLength(stacks);
      expect(ended.filter((each) => each.kind === 'failed' && each.missing > 0n)).toEqual([]);
      const paid = BigInt(stacks) * stackPrice;
      const books = booksOf(chain, {
        treasury: treasury.address,
        stackOwner: stackOwner.address,
        recipients: [],
        from,
        funded: { usdc, mist },
      });
      const expected = { owner: 0n, ownerGas: 0n, paid, withdrawn: 0n, unaccounted: nothing };
      expect(books).toEqual(expected);
    },
  };
}

/** Until all is bought, or the process has been killed. */
async function runBuyer(buyers: ReturnType<typeof createBuyers>, order: BuyerOrder) {
  const child = await buyers.next(order);
  const end = await finished(child);
  await kill(child);
  return end;
}

/** Lets one live until it has bought one more stack, and adds everything up. */
async function finish(
  buyers: ReturnType<typeof createBuyers>,
  treasury: ReturnType<typeof startTreasury>,
): Promise<void> {
  const wanted = (await treasury.stackCount()) + 1;
  expect(await runBuyer(buyers, treasury.order(wanted))).toBe('done');
  await treasury.expectSound(await treasury.stackCount());
}

const finished = (child: ChildProcess) =>
  new Promise<'done' | 'killed'>((resolve) => {
    child.on('message', (message) => message === 'done' && resolve('done'));
    child.once('exit', () => resolve('killed'));
  });

describe('a buyer killed by SIGKILL', { timeout: 300_000 }, () => {
  it('at every call, before and after its effect, loses no coin and buys nothing twice', async () => {
    const buyers = createBuyers();
    const treasury = startTreasury(10);
    try {
      for (let at = 1; at <= callsMax; at += 1) {
        // Each goes on with what the one before left open.
        for (const how of ['before', 'after'] as const) {
          expect(await runBuyer(buyers, treasury.order(endless, { at, how }))).toBe('killed');
        }
        if (at % callsPerCheck === 0) await finish(buyers, treasury);
      }
    } finally {
      await buyers.close();
    }
  });

  it('at a hundred random moments, loses no coin and buys nothing twice', async () => {
    const buyers = createBuyers();
    const random = createRandom(20);
    const treasury = startTreasury(20);
    const lives = 100;
    const lifeMsMax = 60;
    try {
      for (let life = 0; life < lives; life += 1) {
        const before = await treasury.stackCount();
        const child = await buyers.next(treasury.order(endless));
        // Once it has bought something it is in full swing.
        while ((await treasury.stackCount()) === before) await sleep(2);
        await sleep(random.below(lifeMsMax));
        await kill(child);
      }
      await finish(buyers, treasury);
    } finally {
      await buyers.close();
    }
  });
});
