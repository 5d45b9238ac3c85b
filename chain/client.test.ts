import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeSmallId, stackSmallId, taskSmallId } from '../domain/chain-ids.ts';
import { createEventTypes } from './bcs/event-types.ts';
import type { EventQuery, FullNode, LedgerEvent, ListingFrame } from './full-node.ts';
import { openChain } from './startup.ts';
import { connectTo, testIds } from './testing/client.ts';
import { startFullNode, type TestFullNode } from './testing/full-node.ts';
import { addressOf, definingPackage, TestLedger } from './testing/ledger.ts';

const node = nodeSmallId;
const task = taskSmallId(1n);
const types = createEventTypes([definingPackage]).all;
const owner = addressOf(0xb0b);

function subscribe(nodeId: bigint, pricePerMillion: bigint) {
  const ids = { taskId: task, nodeId: node(nodeId) };
  return { kind: 'node-subscribed', ...ids, pricePerMillion, unitsMax: 1_000_000n } as const;
}

function populated(): TestLedger {
  const ledger = new TestLedger();
  const register = (nodeId: bigint) =>
    ({ kind: 'node-registered', badgeId: addressOf(nodeId), nodeId: node(nodeId) }) as const;
  ledger.execute([register(1n)], [register(2n)]);
  ledger.execute([
    {
      kind: 'task-registered',
      objectId: addressOf(0x7a),
      taskId: task,
      role: 0,
      model: 'm',
      securityLevel: 1,
      reputationMin: undefined,
    },
    subscribe(1n, 100n),
  ]);
  ledger.execute();
  ledger.execute([
    subscribe(2n, 200n),
    { kind: 'raw', type: `${addressOf(0xe)}::db::StackCreatedEvent`, contents: new Uint8Array(9) },
    {
      kind: 'stack-created',
      badgeId: addressOf(0x5b),
      stackId: stackSmallId(1n),
      owner,
      taskId: task,
      nodeId: node(2n),
      units: 1000n,
      pricePerMillion: 200n,
    },
  ]);
  return ledger;
}

let ledger: TestLedger;
let served: TestFullNode;
let fullNode: FullNode;
let ending: AbortController;

beforeEach(async () => {
  ledger = populated();
  served = await startFullNode(ledger);
  fullNode = connectTo(served);
  ending = new AbortController();
});
afterEach(() => {
  ending.abort();
  fullNode.close();
  served.close();
});

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

const query = { types, after: undefined, startCheckpoint: 0n, endCheckpoint: 5n };
const list = (changes: Partial<EventQuery> = {}) =>
  collect(fullNode.listEvents({ ...query, ...changes }, ending.signal));
const eventsOf = (frames: readonly ListingFrame<LedgerEvent>[]) =>
  frames.flatMap(({ item }) => item ?? []);
const ownEvents = () => ledger.events.filter(({ type }) => types.includes(type));

/** The given number of calls fail, then none. */
function failTimes(times: number) {
  let left = times;
  served.faults.fails = (what) => what === 'call' && left-- > 0;
}

describe('a unary call', () => {
  it('tells the height and what is left of the history', async () => {
    served.faults.lowestCheckpoint = 2n;
    expect(await fullNode.view(ending.signal)).toEqual({ height: 4n, lowestCheckpoint: 2n });
  });

  it('is refused by a node of another chain', async () => {
    served.faults.chainId = 'another';
    await expect(fullNode.view(ending.signal)).rejects.toMatchObject({ kind: 'wrong-chain' });
  });

  it('is made again while the node is away', async () => {
    failTimes(4);
    expect(await fullNode.view(ending.signal)).toMatchObject({ height: 4n });
    failTimes(5);
    await expect(fullNode.view(ending.signal)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('ends with the signal, also between two attempts', async () => {
    failTimes(1000);
    const running = fullNode.view(ending.signal);
    ending.abort();
    await expect(running).rejects.toMatchObject({ kind: 'aborted' });
    await expect(fullNode.view(ending.signal)).rejects.toMatchObject({ kind: 'aborted' });
  });

  it('leaves no listener on the signal', async () => {
    for (let call = 0; call < 30; call += 1) await fullNode.view(ending.signal);
    await list();
    expect(getEventListeners(ending.signal, 'abort')).toHaveLength(0);
  });
});

describe('a listing', () => {
  it('gives the contract’s events in order, and says what is covered', async () => {
    const frames = await list();
    expect(eventsOf(frames)).toEqual(ownEvents());
    expect(frames.at(-1)).toMatchObject({ end: 'checkpoint-bound', covered: 4n, item: undefined });
  });

  it('goes on from any cursor', async () => {
    const frames = await list();
    for (const [index, { cursor }] of frames.entries()) {
      const rest = await list({ after: cursor });
      expect(eventsOf(rest)).toEqual(eventsOf(frames.slice(index + 1)));
    }
  });

  it('tells why it stopped', async () => {
    expect((await list({ endCheckpoint: 9n })).at(-1)?.end).toBe('ledger-tip');
    served.faults.scanCheckpointsMax = 2n;
    expect((await list()).at(-1)).toMatchObject({ end: 'scan-limit', covered: 1n });
    served.faults.itemsMax = 2;
    expect((await list()).at(-1)).toMatchObject({ end: 'item-limit', item: {} });
  });

  it('is not taken from a node that has less history than it takes', async () => {
    served.faults.lowestCheckpoint = 2n;
    await expect(list({ startCheckpoint: 2n })).rejects.toMatchObject({ kind: 'not-found' });
    expect(eventsOf(await list({ startCheckpoint: 3n }))).toEqual(ownEvents().slice(-2));
  });

  it('that breaks throws after what has been received', async () => {
    let frames = 0;
    served.faults.fails = () => ++frames === 4;
    const received: ListingFrame<LedgerEvent>[] = [];
    const reading = async () => {
      for await (const frame of fullNode.listEvents(query, ending.signal)) received.push(frame);
    };
    await expect(reading()).rejects.toMatchObject({ kind: 'unavailable' });
    expect(received.every(({ end }) => end === undefined)).toBe(true);
  });

  it('that falls silent is given up', async () => {
    served.faults.hangs = true;
    await expect(list()).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('ends with the signal', async () => {
    served.faults.hangs = true;
    const reading = list();
    setTimeout(() => ending.abort(), 20);
    await expect(reading).rejects.toMatchObject({ kind: 'aborted' });
  });

  it('may not be offered at all', async () => {
    expect(await fullNode.canListEvents(4n, ending.signal)).toBe(true);
    served.faults.listsEvents = false;
    expect(await fullNode.canListEvents(4n, ending.signal)).toBe(false);
    await expect(list()).rejects.toMatchObject({ kind: 'unimplemented' });
  });
});

describe('a checkpoint', () => {
  it('holds the same events as the listing, and those of others', async () => {
    const heights = [1n, 2n, 3n, 4n];
    const each = heights.map((height) => fullNode.checkpointEvents(height, ending.signal));
    expect((await Promise.all(each)).flat()).toEqual(ledger.events);
  });

  it('that does not exist is not found', async () => {
    const reading = fullNode.checkpointEvents(99n, ending.signal);
    await expect(reading).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('rings as it is executed', async () => {
    const heights = fullNode.followHeights(ending.signal)[Symbol.asyncIterator]();
    const first = heights.next();
    const executing = setInterval(() => ledger.execute(), 5);
    expect((await first).value).toBeGreaterThan(4n);
    clearInterval(executing);
    await heights.return?.();
  });
});

describe('the state', () => {
  const { signal } = new AbortController();

  it('has the database with its shared version', async () => {
    const { initialSharedVersion, database } = await fullNode.database(signal);
    expect(initialSharedVersion).toBe(5n);
    expect(database).toMatchObject({ nextNodeId: 3n, nextTaskId: 2n, nextStackId: 2n });
  });

  it.each([1, 1000])('has the rows of every table, in pages of %i', async (rowsPerPage) => {
    served.faults.rowsPerPage = rowsPerPage;
    const { database } = await fullNode.database(signal);
    const nodes = (await collect(fullNode.nodes(database.nodes, signal))).flat();
    const tasks = (await collect(fullNode.tasks(database.tasks, signal))).flat();
    const stacks = (await collect(fullNode.stacks(database.stacks, signal))).flat();
    expect(nodes.map(({ id }) => id)).toEqual([1n, 2n]);
    expect(tasks).toEqual([{ id: 1n, value: ledger.tasks.get(task)?.task }]);
    expect(stacks).toEqual([{ id: 1n, value: ledger.stacks.get(stackSmallId(1n)) }]);
    const [first] = tasks;
    if (!first) throw new Error('no task');
    const { subscriptions } = first.value;
    const prices = (await collect(fullNode.subscriptions(subscriptions, signal))).flat();
    expect(prices.map(({ value }) => value.pricePerMillion)).toEqual([100n, 200n]);
  });

  it('has the stacks that are being settled', async () => {
    ledger.tickets.add(stackSmallId(1n));
    const { database } = await fullNode.database(signal);
    const pages = await collect(fullNode.settlingStacks(database.settlementTickets, signal));
    expect(pages.flat()).toEqual([1n]);
  });

  it('is not believed where a row belongs to another table', async () => {
    const { database } = await fullNode.database(signal);
    const wrong = { ...database.stacks, id: database.nodes.id };
    const reading = collect(fullNode.stacks(wrong, signal));
    await expect(reading).rejects.toMatchObject({ kind: 'protocol' });
  });
});

describe('a chain', () => {
  const open = (ids = testIds) => openChain({ fullNode, ids, signal: ending.signal });

  it('opens with what a transaction needs', async () => {
    const ready = { kind: 'ready', initialSharedVersion: 5n };
    expect(await open()).toEqual({ ...ready, canListEvents: true });
    served.faults.listsEvents = false;
    expect(await open()).toEqual({ ...ready, canListEvents: false });
  });

  it('does not open where the database is another contract’s', async () => {
    const opened = await open({ ...testIds, definingPackage: addressOf(0xbad) });
    expect(opened).toMatchObject({ kind: 'problems', problems: [expect.any(String)] });
  });

  it('tells the versions of a package', async () => {
    served.faults.packages = [definingPackage, '0xa2'];
    const versions = await fullNode.packageVersions(definingPackage, ending.signal);
    expect(versions.map(({ version }) => version)).toEqual([1n, 2n]);
  });
});
