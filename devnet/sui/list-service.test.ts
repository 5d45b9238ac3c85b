import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import { normalizeSuiAddress } from '@mysten/sui/utils';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { upgradeAtoma } from './atoma-deployment.ts';
import { type FullNode, startFullNode } from './full-node.ts';
import { type AtomaWorld, createSuiClient, keyOf, setUpAtoma } from './testing.ts';

const { Ordering, QueryEndReason: Reason } = GrpcTypes;
const foreigner = keyOf(80).toSuiAddress();
const foreignPackage = normalizeSuiAddress('0xbad');
let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, [1000n, 1500n]);
  node.seal();
  node.chain.emit({
    packageId: foreignPackage,
    module: 'db',
    sender: foreigner,
    type: `${foreignPackage}::db::NodeRegisteredEvent`,
    contents: new Uint8Array(40),
  });
  node.seal();
  node.seal();
});
afterAll(() => node.close());
beforeEach(() => node.faults.clear());

type ListEvents = Parameters<SuiGrpcClient['ledgerService']['listEvents']>[0];
type Predicate = GrpcTypes.EventLiteral['predicate'];

const where = (...predicates: (Predicate & { negated?: boolean })[]): GrpcTypes.EventFilter => ({
  terms: predicates.map(({ negated = false, ...predicate }) => ({
    literals: [{ negated, predicate }],
  })),
});
const ofType = (eventType: string): Predicate => ({
  oneofKind: 'eventType',
  eventType: { eventType },
});

async function list(request: ListEvents, from = client) {
  const frames: GrpcTypes.ListEventsResponse[] = [];
  for await (const frame of from.ledgerService.listEvents(request).responses) frames.push(frame);
  return frames;
}

const names = (frames: readonly GrpcTypes.ListEventsResponse[]) =>
  frames.flatMap(({ event }) => event?.eventType?.split('::').at(-1) ?? []);

describe('ListEvents', () => {
  it('gives events in order with places and watermarks, and one end', async () => {
    const paths = ['event_type', 'contents', 'checkpoint', 'transaction_digest'];
    const readMask = { paths: [...paths, 'transaction_index', 'event_index'] };
    const frames = await list({ readMask, filter: where(ofType(`${world.packageId}::db`)) });
    expect(names(frames)).toEqual([
      'PublishedEvent',
      'TaskRegisteredEvent',
      'NodeRegisteredEvent',
      'NodeSubscribedToTaskEvent',
      'NodeRegisteredEvent',
      'NodeSubscribedToTaskEvent',
    ]);
    expect(frames.every(({ watermark }) => watermark?.cursor)).toBe(true);
    expect(frames.filter(({ end }) => end)).toHaveLength(1);
    expect(frames[3]?.event).toMatchObject({ checkpoint: 1n, transactionIndex: 3n, eventIndex: 0 });
    expect(frames.at(-1)).toMatchObject({
      end: { reason: Reason.LEDGER_TIP },
      watermark: { checkpoint: 3n },
    });
  });

  it('ends at the checkpoint that was asked for', async () => {
    const frames = await list({ startCheckpoint: 0n, endCheckpoint: 4n });
    expect(frames.at(-1)?.end?.reason).toBe(Reason.CHECKPOINT_BOUND);
  });

  it('never takes a foreign event of the same name for one of ours', async () => {
    const own = ofType(`${world.packageId}::db::NodeRegisteredEvent`);
    expect(names(await list({ filter: where(own) }))).toHaveLength(2);
    const both = where(own, ofType(`${foreignPackage}::db::NodeRegisteredEvent`));
    expect(names(await list({ filter: both }))).toHaveLength(3);
  });

  it('filters by sender, by emitting module and by negation', async () => {
    const sender: Predicate = { oneofKind: 'sender', sender: { address: foreigner } };
    expect(names(await list({ filter: where(sender) }))).toHaveLength(1);
    const module = `${world.packageId}::db`;
    const emitted: Predicate = { oneofKind: 'emitModule', emitModule: { module } };
    expect(names(await list({ filter: where(emitted) }))).toHaveLength(6);
    expect(names(await list({ filter: where({ ...sender, negated: true }) }))).toHaveLength(6);
    const literals = [sender, emitted].map((predicate) => ({ negated: false, predicate }));
    expect(names(await list({ filter: { terms: [{ literals }] } }))).toEqual([]);
  });

  it('is resumed at the last cursor, upwards and downwards', async () => {
    const first = await list({ options: { limit: 2 } });
    expect(first.at(-1)?.end?.reason).toBe(Reason.ITEM_LIMIT);
    const after = first.at(-1)?.watermark?.cursor ?? new Uint8Array();
    expect(names(await list({ options: { after } }))).toHaveLength(5);
    const ordering = Ordering.DESCENDING;
    const down = await list({ options: { limit: 3, ordering } });
    const before = down.at(-1)?.watermark?.cursor ?? new Uint8Array();
    const rest = await list({ options: { before, ordering } });
    expect([...names(down), ...names(rest)]).toHaveLength(7);
    expect(names(rest).at(-1)).toBe('PublishedEvent');
  });

  it('stops a filtered scan after its share', async () => {
    node.faults.set({ scanCheckpointsMax: 2 });
    const frames = await list({ filter: where(ofType(foreignPackage)) });
    expect(frames.at(-1)).toMatchObject({
      end: { reason: Reason.SCAN_LIMIT },
      watermark: { checkpoint: 1n },
    });
  });

  it('refuses filters and cursors that make no sense', async () => {
    const code = { code: 'INVALID_ARGUMENT' };
    await expect(list({ filter: { terms: [] } })).rejects.toMatchObject(code);
    await expect(list({ filter: where(ofType('nonsense')) })).rejects.toMatchObject(code);
    const after = Buffer.from('nonsense');
    await expect(list({ options: { after } })).rejects.toMatchObject(code);
  });

  it('through the core client pages to the end', async () => {
    const filter = { eventType: `${world.packageId}::db` };
    const page = await client.core.listEvents({ filter, limit: 4 });
    expect(page.hasNextPage).toBe(true);
    const rest = await client.core.listEvents({ filter, limit: 4, after: page.endCursor });
    expect(rest.hasNextPage).toBe(false);
    expect(page.events.length + rest.events.length).toBe(6);
  });
});

describe('the other lists', () => {
  it('give transactions by sender and by package write', async () => {
    const upgraded = upgradeAtoma(node.chain, world.packageId);
    node.seal();
    const predicate = { oneofKind: 'packageWrite', packageWrite: {} } as const;
    const filter = { terms: [{ literals: [{ negated: false, predicate }] }] };
    const readMask = { paths: ['digest', 'effects.changed_objects', 'checkpoint'] };
    const call = client.ledgerService.listTransactions({ filter, readMask });
    const writes: string[] = [];
    for await (const { transaction } of call.responses) {
      writes.push(...(transaction?.effects?.changedObjects ?? []).map((c) => c.objectId ?? ''));
    }
    expect(writes).toContain(world.packageId);
    expect(writes).toContain(upgraded);
    const sent = await client.core.listTransactions({ filter: { sender: foreigner } });
    expect(sent.transactions).toHaveLength(1);
  });

  it('give checkpoints, of which a filter takes those with a match', async () => {
    const sequences: (bigint | undefined)[] = [];
    const predicate = { oneofKind: 'sender', sender: { address: foreigner } } as const;
    const filter = { terms: [{ literals: [{ negated: false, predicate }] }] };
    const call = client.ledgerService.listCheckpoints({ filter });
    for await (const { checkpoint } of call.responses) sequences.push(checkpoint?.sequenceNumber);
    expect(sequences).toEqual([2n, undefined]);
  });
});

describe('faults', () => {
  it('cut a stream with an error, or without a last frame', async () => {
    node.faults.set({ cutStreams: { afterFrames: 2, how: 'error' } });
    await expect(list({})).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    node.faults.set({ cutStreams: { afterFrames: 2, how: 'end' } });
    const frames = await list({});
    expect(frames).toHaveLength(2);
    expect(frames.some(({ end }) => end)).toBe(false);
  });

  it('let the index lag behind the ledger', async () => {
    node.faults.set({ indexLagCheckpoints: 2 });
    const { response } = await client.ledgerService.getServiceInfo({});
    const height = response.checkpointHeight ?? 0n;
    const frames = await list({ endCheckpoint: height + 1n });
    expect(frames.at(-1)).toMatchObject({
      end: { reason: Reason.LEDGER_TIP },
      watermark: { checkpoint: height - 2n },
    });
  });

  it('take methods away', async () => {
    node.faults.set({ unimplemented: ['LedgerService/ListEvents'] });
    await expect(list({})).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
    node.faults.set({ unavailable: ['LedgerService/GetServiceInfo'] });
    const call = client.ledgerService.getServiceInfo({});
    await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('make the node lie about its chain', async () => {
    node.faults.set({ chainId: '4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S' });
    const { response } = await client.ledgerService.getServiceInfo({});
    expect(response.chainId).not.toBe(node.chain.chainId());
  });

  it('make answers late', async () => {
    node.faults.set({ latencyMs: 150 });
    const started = performance.now();
    await client.ledgerService.getServiceInfo({});
    expect(performance.now() - started).toBeGreaterThan(140);
  });

  it('refuse settings that do not exist', () => {
    expect(() => node.faults.set({ unimplemented: ['nonsense'] })).toThrow();
  });
});

describe('a second provider', () => {
  it('serves the same chain, has faults of its own, and refuses foreign cursors', async () => {
    const other = await node.startProvider();
    const second = createSuiClient(other.address);
    node.faults.set({ unimplemented: ['LedgerService/ListEvents'] });
    const frames = await list({ options: { limit: 2 } }, second);
    expect(names(frames)).toEqual(['PublishedEvent', 'TaskRegisteredEvent']);
    node.faults.clear();
    const after = frames.at(-1)?.watermark?.cursor ?? new Uint8Array();
    await expect(list({ options: { after } })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect((await second.core.getChainIdentifier()).chainIdentifier).toBe(node.chain.chainId());
  });
});

describe('pruning', () => {
  it('refuses a list that begins in the gap, or skips it where the node is careless', async () => {
    const start = { startCheckpoint: 0n };
    const kept = await list({ options: { limit: 6 } });
    node.chain.ledger.prune(2n);
    await expect(list(start)).rejects.toThrow('is pruned');
    const early = kept[1]?.watermark?.cursor ?? new Uint8Array();
    await expect(list({ options: { after: early } })).rejects.toThrow('is pruned');
    node.faults.set({ prunedStart: 'skip' });
    expect(names(await list(start))).toEqual(['NodeRegisteredEvent']);
    node.faults.clear();
    expect(names(await list({}))).toEqual(['NodeRegisteredEvent']);
  });
});
