import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchangeToJson } from '../domain/exchange-json.ts';
import { createExchangeMetrics, createRegistry } from '../runtime/metrics.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { createRefusals } from './refusals.ts';
import { type Gateway, startGateway } from './testing/gateway.ts';

let redis: TestRedis;
let gateway: Gateway;
beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway({ redisUrl: redis.url });
});
afterAll(async () => {
  await gateway.close();
  await redis.stop();
});

const units = 100;

/** A node of its own with two stacks; the first is refused. */
async function refuse(status: number) {
  const [model, node] = [randomUUID(), randomUUID()];
  const { unitPool } = gateway.storage;
  const stacks = ['1', '2'].map((id) => ({ id, units }));
  await unitPool.syncStacks(model, stacks);
  const requestId = randomUUID();
  await unitPool.reserve({ requestId, model, units, leaseMs: 60_000 });
  await gateway.envoy.logRefusal({ requestId, model, node, stackId: '1', status });
  return { model, node };
}

async function countOf(node: string) {
  const { values } = await gateway.metrics.refusals.get();
  return values.filter(({ labels }) => labels.node === node);
}

const statesOf = async (model: string) => {
  const { stacks } = await gateway.storage.unitPool.state(model);
  return stacks.map(({ refused }) => refused);
};

describe('an attempt that a node refused', () => {
  it.each([
    [423, 'locked-stack', 'closed'],
    [425, 'too-few-units', 'resting'],
  ] as const)(
    'with %i is counted, and its stack, and no other, is taken out',
    async (status, reason, as) => {
      const { model, node } = await refuse(status);
      await expect.poll(() => statesOf(model)).toEqual([as, 'no']);
      expect(await gateway.storage.unitPool.state(model)).toMatchObject({
        free: units,
        stacks: [{ used: 0, free: units, live: false }, { live: true }],
      });
      expect(await countOf(node)).toMatchObject([{ value: 1, labels: { reason } }]);
    },
  );

  it('with 401 is counted, and its stack stays: the signature may be at fault as well', async () => {
    const { model, node } = await refuse(401);
    expect(await countOf(node)).toMatchObject([{ value: 1, labels: { reason: 'signature' } }]);
    expect(await statesOf(model)).toEqual(['no', 'no']);
  });

  it.each([200, 404, 429, 500])('with %i is nothing that we hear of', async (status) => {
    const { model, node } = await refuse(status);
    expect(await countOf(node)).toEqual([]);
    expect(await statesOf(model)).toEqual(['no', 'no']);
  });

  it('at what is no node is nothing that we hear of', async () => {
    const [model, before] = [randomUUID(), (await gateway.metrics.refusals.get()).values];
    const nowhere = { requestId: randomUUID(), model, node: '', stackId: '', status: 401 };
    await gateway.envoy.logRefusal(nowhere);
    expect((await gateway.metrics.refusals.get()).values).toEqual(before);
  });

  it('at a node without stacks is counted, and changes nothing', async () => {
    const node = randomUUID();
    await gateway.envoy.logRefusal({
      ...{ requestId: randomUUID(), model: 'm', node, stackId: '', status: 423 },
    });
    expect(await countOf(node)).toHaveLength(1);
    expect((await gateway.storage.unitPool.state('m')).stacks).toEqual([]);
  });
});

describe('an answer that says that our headers are wrong', () => {
  it('lets the stack rest: the node may not know it yet', async () => {
    const model = randomUUID();
    await gateway.storage.unitPool.syncStacks(model, [{ id: '1', units }]);
    const exchange = await gateway.reserve({ model, stream: false });
    const node = { node: randomUUID(), protocol: 'atoma', stack: '1' };
    const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange), node });
    await stream.headers(400, {});
    await stream.body('{"error":{"code":"INVALID_HEADER","message":"x"}}', true);
    stream.end();
    await expect.poll(() => statesOf(model)).toEqual(['resting']);
    expect(await countOf(node.node)).toMatchObject([{ labels: { reason: 'headers' } }]);
    expect(await gateway.recordOf(exchange)).toMatchObject({ cost: 0n, ending: 'node-failed' });
  });
});

describe('createRefusals', () => {
  it('writes each stack once at a time, and again at the next refusal where it could not', async () => {
    const asked: string[] = [];
    const answers = [new Error('away'), true] as const;
    const refusals = createRefusals({
      stacks: {
        async refuse({ stackId, as }) {
          asked.push(`${stackId} ${as}`);
          const answer = answers[asked.length - 1];
          await Promise.resolve();
          if (answer !== true) throw answer;
          return answer;
        },
      },
      refused: createExchangeMetrics(createRegistry('test')).refusals,
      log: silentLog,
    });
    const refusal = { requestId: 'r', model: 'm', node: 'n', stackId: '1', status: 423 };
    for (let times = 0; times < 10; times += 1) refusals.receive(refusal);
    expect(asked).toEqual(['1 closed']);
    await new Promise((resolve) => setTimeout(resolve, 10));
    refusals.receive(refusal);
    expect(asked).toEqual(['1 closed', '1 closed']);
  });
});
