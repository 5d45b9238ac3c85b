import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { normalizeSuiAddress } from '@mysten/sui/utils';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FullNode, startFullNode } from './full-node.ts';
import { createSuiClient, keyOf, setUpAtoma } from './testing.ts';

let node: FullNode;
let client: SuiGrpcClient;

beforeEach(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
});
afterEach(() => node.close());

/** Reads the first frames while the chain goes on. */
async function first<Frame>(
  wanted: number,
  responses: AsyncIterable<Frame>,
  go: () => void,
): Promise<Frame[]> {
  const frames: Frame[] = [];
  const timer = setInterval(go, 20);
  try {
    for await (const frame of responses) {
      frames.push(frame);
      if (frames.length >= wanted) break;
    }
  } finally {
    clearInterval(timer);
  }
  return frames;
}

describe('SubscribeCheckpoints', () => {
  it('gives every checkpoint from the next on, without gaps', async () => {
    const call = client.subscriptionService.subscribeCheckpoints({});
    const frames = await first(4, call.responses, () => node.seal());
    const start = frames[0]?.cursor ?? 0n;
    expect(frames.map(({ cursor }) => cursor)).toEqual([0n, 1n, 2n, 3n].map((n) => start + n));
    expect(frames.every(({ checkpoint, cursor }) => checkpoint?.sequenceNumber === cursor)).toBe(
      true,
    );
  });

  it('with a filter moves on over what does not match', async () => {
    const address = normalizeSuiAddress('0x99');
    const predicate = { oneofKind: 'sender', sender: { address } } as const;
    const filter = { terms: [{ literals: [{ negated: false, predicate }] }] };
    const call = client.subscriptionService.subscribeCheckpoints({ filter });
    let rounds = 0;
    const frames = await first(4, call.responses, () => {
      rounds += 1;
      if (rounds % 2 === 0) node.chain.change(address, () => undefined);
      node.seal();
    });
    expect(frames.filter(({ checkpoint }) => checkpoint)).toHaveLength(2);
    expect(frames.every(({ cursor }) => cursor !== undefined)).toBe(true);
  });

  it('ends when the caller leaves, and leaves nothing behind', async () => {
    const leave = new AbortController();
    const call = client.subscriptionService.subscribeCheckpoints({}, { abort: leave.signal });
    await first(1, call.responses, () => node.seal());
    leave.abort();
    for (let i = 0; i < 3; i += 1) node.seal();
    expect((await client.ledgerService.getServiceInfo({})).response.chainId).toBeDefined();
  });
});

describe('SubscribeEvents and SubscribeTransactions', () => {
  it('give what matches, and a watermark for each checkpoint', async () => {
    const readMask = { paths: ['event_type', 'checkpoint'] };
    const call = client.subscriptionService.subscribeEvents({ readMask });
    let isPublished = false;
    const frames = await first(5, call.responses, () => {
      if (!isPublished) setUpAtoma(node.chain, [1000n]);
      isPublished = true;
      node.seal();
    });
    const types = frames.flatMap(({ event }) => event?.eventType?.split('::').at(-1) ?? []);
    expect(types.slice(0, 2)).toEqual(['PublishedEvent', 'TaskRegisteredEvent']);
    const covered = frames.find(({ event }) => !event)?.watermark?.checkpoint;
    expect(covered).toBe(frames[0]?.event?.checkpoint);
  });

  it('give transactions with their place', async () => {
    const readMask = { paths: ['digest', 'checkpoint', 'transaction_index'] };
    const call = client.subscriptionService.subscribeTransactions({ readMask });
    const frames = await first(2, call.responses, () => {
      node.chain.change(keyOf(3).toSuiAddress(), () => undefined);
      node.seal();
    });
    expect(frames[0]?.transaction).toMatchObject({ transactionIndex: 0n });
  });
});

describe('a restart', () => {
  it('cuts subscriptions; the same address serves the same chain again', async () => {
    const before = node.chain.chainId();
    const call = client.subscriptionService.subscribeCheckpoints({});
    const reading = expect(first(1000, call.responses, () => node.seal())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await node.restart(50);
    await reading;
    const again = createSuiClient(node.address);
    expect((await again.core.getChainIdentifier()).chainIdentifier).toBe(before);
  });
});
