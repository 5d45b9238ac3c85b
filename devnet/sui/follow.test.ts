import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import { normalizeSuiAddress } from '@mysten/sui/utils';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Seed } from './atoma-seed.ts';
import { type FullNode, startFullNode } from './full-node.ts';
import { createSuiClient, keyOf, setUpAtoma } from './testing.ts';

const { QueryEndReason: Reason } = GrpcTypes;
const foreignPackage = normalizeSuiAddress('0xbad');

type Follower = {
  readonly seen: string[];
  cursor: Uint8Array | undefined;
  covered: bigint | undefined;
};

/** One pass over the list, as an indexer makes it: whatever arrives counts, and the last cursor is where to go on. */
async function pass(client: SuiGrpcClient, packageId: string, follower: Follower): Promise<void> {
  const predicate = {
    oneofKind: 'eventType',
    eventType: { eventType: `${packageId}::db` },
  } as const;
  const { cursor: after, covered } = follower;
  const call = client.ledgerService.listEvents({
    startCheckpoint: covered === undefined ? 0n : covered + 1n,
    filter: { terms: [{ literals: [{ negated: false, predicate }] }] },
    options: { limit: 7, ...(after && { after }) },
    readMask: { paths: ['transaction_digest', 'event_index', 'event_type'] },
  });
  try {
    for await (const { event, watermark } of call.responses) {
      if (event) follower.seen.push(`${event.transactionDigest} ${event.eventIndex}`);
      follower.cursor = watermark?.cursor ?? follower.cursor;
      follower.covered = watermark?.checkpoint ?? follower.covered;
    }
  } catch {
    // A broken pass keeps its prefix.
  }
}

/** What really happened, in order. */
function truth(node: FullNode, packageId: string): string[] {
  const { history } = node.chain.ledger;
  const all: string[] = [];
  for (let at = 0n; at <= history.height(); at += 1n) {
    for (const { events, transaction } of history.checkpoint(at)?.transactions ?? []) {
      for (const [index, { type }] of events.entries()) {
        if (type.startsWith(`${packageId}::`)) all.push(`${transaction.digest} ${index}`);
      }
    }
  }
  return all;
}

const fault = fc.record({
  cutStreams: fc.option(
    fc.record({ afterFrames: fc.nat(9), how: fc.constantFrom<'error' | 'end'>('error', 'end') }),
  ),
  indexLagCheckpoints: fc.nat(4),
  scanCheckpointsMax: fc.integer({ min: 1, max: 6 }),
});
const step = fc.record({ fault, registers: fc.nat(3), foreign: fc.boolean(), seals: fc.nat(3) });

type Step = typeof step extends fc.Arbitrary<infer Taken> ? Taken : never;

/** The chain goes on, and the node goes wrong. */
function live(
  node: FullNode,
  seed: Seed,
  { fault: faults, registers, foreign, seals }: Step,
): void {
  seed.registerNodes(Array.from({ length: registers }, () => keyOf(1).toSuiAddress()));
  if (foreign) node.chain.emit(foreignEvent);
  for (let i = 0; i < seals; i += 1) node.seal();
  node.faults.set(faults);
}

async function catchUp(
  client: SuiGrpcClient,
  options: { packageId: string; follower: Follower; wanted: number },
): Promise<void> {
  const passesMax = 60;
  const { packageId, follower, wanted } = options;
  for (let i = 0; i < passesMax && follower.seen.length < wanted; i += 1) {
    await pass(client, packageId, follower);
  }
}

describe('following the ledger under faults', () => {
  it('loses nothing, repeats nothing and keeps the order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), async (steps) => {
        const node = await startFullNode({ checkpointMs: 0 });
        const { packageId, seed } = setUpAtoma(node.chain, []);
        const client = createSuiClient(node.address);
        const follower: Follower = { seen: [], cursor: undefined, covered: undefined };
        for (const taken of steps) {
          live(node, seed, taken);
          await pass(client, packageId, follower);
        }
        node.faults.clear();
        node.seal();
        const wanted = truth(node, packageId);
        await catchUp(client, { packageId, follower, wanted: wanted.length });
        await node.close();
        expect(follower.seen).toEqual(wanted);
      }),
      { numRuns: 8 },
    );
  });

  it('reaches the tip, and says so', async () => {
    const node = await startFullNode({ checkpointMs: 0 });
    for (let i = 0; i < 200; i += 1) node.seal();
    const call = createSuiClient(node.address).ledgerService.listEvents({});
    const ends: unknown[] = [];
    for await (const { end, watermark } of call.responses) ends.push(end?.reason, watermark);
    expect(ends).toContain(Reason.LEDGER_TIP);
    expect(ends.length).toBeGreaterThan(6);
    await node.close();
  });
});

const foreignEvent = {
  packageId: foreignPackage,
  module: 'db',
  sender: foreignPackage,
  type: `${foreignPackage}::db::NodeRegisteredEvent`,
  contents: new Uint8Array(40),
};
