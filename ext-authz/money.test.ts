import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { chatBody, createCaller, headersWith, modelNamed, startReplica } from './testing/world.ts';

type Replica = Awaited<ReturnType<typeof startReplica>>;
let redis: TestRedis;
let first: Replica;
let second: Replica;
const held: (() => void)[] = [];
let holdBack = false;
const nothing = async (): Promise<void> => undefined;
/** Runs in the first replica when everything but the money has been decided. */
let beforeHold = nothing;

beforeAll(async () => {
  redis = await startRedis();
  const models = [modelNamed('plain'), modelNamed('atoma', { protocols: ['atoma'] })];
  const steps = [
    async () => {
      if (holdBack) await new Promise<void>((resolve) => held.push(resolve));
      await beforeHold();
      return { kind: 'pass' } as const;
    },
  ];
  first = await startReplica({ redisUrl: redis.url, models, steps });
  second = await startReplica({ redisUrl: redis.url, models, deaf: true });
});
afterAll(async () => {
  await Promise.all([first.close(), second.close()]);
  await redis.stop();
});

/** Looks again until it holds, for at most two seconds. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const endMs = Date.now() + 2000;
  for (;;) {
    try {
      return await check();
    } catch (cause) {
      if (Date.now() > endMs) throw cause;
      await sleep(20);
    }
  }
}

describe('money', () => {
  it('lets exactly 10 of 200 requests at once through where it covers 10, over two replicas', async () => {
    const probe = await createCaller(first.storage, 1_000_000n);
    const probeKey = await probe.createKey();
    await first.ask({ headers: headersWith(probeKey.text), body: chatBody() });
    const cost = (await probe.balance()).reserved;

    const caller = await createCaller(first.storage, cost * 10n);
    const { text } = await caller.createKey();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 === 0 ? first : second).ask({ headers: headersWith(text), body: chatBody() }),
      ),
    );
    const denied = answers.flatMap((answer) => (answer.kind === 'denied' ? [answer] : []));
    expect(denied).toHaveLength(190);
    for (const { status, headers } of denied) {
      expect(status).toBe(429);
      expect(headers).toMatchObject({ 'retry-after': '1', 'x-should-retry': 'true' });
    }
    expect(await caller.balance()).toMatchObject({ available: 0n, reserved: cost * 10n });
  });

  it('is not held for a model without a signing key', async () => {
    const models = [modelNamed('atoma', { protocols: ['atoma'] })];
    const replica = await startReplica({ redisUrl: redis.url, models, withoutSigningKey: true });
    const caller = await createCaller(replica.storage, 100_000n);
    const { text } = await caller.createKey();
    const body = chatBody({ model: 'atoma' });
    expect(await replica.ask({ headers: headersWith(text), body })).toMatchObject({ status: 503 });
    expect((await caller.balance()).reserved).toBe(0n);
    await replica.close();
  });

  it('is released where the pool has no units', async () => {
    const caller = await createCaller(first.storage, 100_000n);
    const { text } = await caller.createKey();
    const body = chatBody({ model: 'atoma' });
    expect(await first.ask({ headers: headersWith(text), body })).toMatchObject({ status: 503 });
    expect(await caller.balance()).toMatchObject({ available: 100_000n, reserved: 0n });
    const page = await first.storage.usage.page({
      ...{ accountId: caller.accountId, before: undefined, limit: 10 },
    });
    expect(page?.lines).toMatchObject([{ charged: 0n, record: { ending: 'refused' } }]);
  });

  it('is never held once a caller has left during the decision', async () => {
    const caller = await createCaller(first.storage, 100_000n);
    const { text } = await caller.createKey();
    holdBack = true;
    const { call, answer } = first.start({ headers: headersWith(text), body: chatBody() });
    await eventually(async () => expect(held).toHaveLength(1));
    call.cancel();
    await expect(answer).rejects.toThrow();
    await sleep(20);
    holdBack = false;
    for (const resume of held.splice(0)) resume();
    await sleep(50);
    expect(await caller.balance()).toMatchObject({ available: 100_000n, reserved: 0n });
    expect(await first.metrics()).toContain('outcome="cancelled"');
  });
});

describe('revocation', () => {
  it.each(['first', 'second'] as const)(
    'works within a second on the %s replica, of which one hears no announcements',
    async (name) => {
      const replica = name === 'first' ? first : second;
      const caller = await createCaller(first.storage, 100_000n);
      const { key, text } = await caller.createKey();
      const ask = () => replica.ask({ headers: headersWith(text), keyOnly: true });
      expect(await ask()).toMatchObject({ kind: 'ok' });
      await first.storage.apiKeys.revoke(key.id);
      await sleep(name === 'first' ? 100 : 900);
      expect(await ask()).toMatchObject({ kind: 'denied', status: 401 });
    },
  );
});

describe('while Redis fails', () => {
  it('every request is refused quickly, and served again once Redis is back', async () => {
    const caller = await createCaller(first.storage, 100_000n);
    const { text } = await caller.createKey();
    const ask = () => first.ask({ headers: headersWith(text), body: chatBody() });
    expect(await ask()).toMatchObject({ kind: 'ok' });
    // What was answered is on disk within a second.
    await sleep(1100);
    await redis.kill();

    const startMs = Date.now();
    expect(await ask()).toMatchObject({
      kind: 'denied',
      status: 503,
      headers: { 'retry-after': '1', 'x-should-retry': 'true' },
      body: expect.stringContaining('gateway_unavailable'),
    });
    expect(Date.now() - startMs).toBeLessThan(1700);

    await redis.start();
    await eventually(async () => expect(await ask()).toMatchObject({ kind: 'ok' }));
  });

  it.each([
    ['whose reservation is answered too late', { leaves: false, ending: 'gateway-failed' }],
    ['whose caller leaves meanwhile', { leaves: true, ending: 'client-aborted' }],
  ])('nothing stays held for a request %s', async (_name, { leaves, ending }) => {
    const caller = await createCaller(first.storage, 100_000n);
    const { text } = await caller.createKey();
    let leave = () => {};
    beforeHold = async () => {
      redis.signal('SIGSTOP');
      await sleep(20);
      setTimeout(() => leave(), 100);
    };
    const { call, answer } = first.start({ headers: headersWith(text), body: chatBody() });
    if (leaves) leave = () => call.cancel();
    const [outcome] = await Promise.allSettled([answer]);
    // The service hears of a caller who left a moment after the caller's own client.
    if (leaves) await sleep(100);
    redis.signal('SIGCONT');
    beforeHold = nothing;
    if (leaves) expect(outcome).toMatchObject({ status: 'rejected' });
    else expect(outcome).toMatchObject({ value: { kind: 'denied', status: 503 } });
    await eventually(async () => {
      const { page } = first.storage.usage;
      const list = await page({ accountId: caller.accountId, before: undefined, limit: 10 });
      expect(list?.lines).toMatchObject([{ charged: 0n, record: { ending } }]);
    });
    expect(await caller.balance()).toMatchObject({ available: 100_000n, reserved: 0n });
  });
});
