/** A whole gateway over a Redis Cluster of three masters: two replicas of each service, many accounts in many slots. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedisCluster } from '../redis.ts';
import { chatModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, untilSettled } from './gateway.ts';

let cluster: Awaited<ReturnType<typeof startRedisCluster>>;
let gateway: TestGateway;
beforeAll(async () => {
  cluster = await startRedisCluster();
  gateway = await startTestGateway({
    redisUrl: cluster.url,
    replicas: { extAuthz: 2, extProc: 2 },
  });
});
afterAll(async () => {
  await gateway?.close();
  await cluster?.stop();
});

const messages = [{ role: 'user' as const, content: 'Hello' }];
const accountsMax = 12;

describe('a gateway over a Redis Cluster', () => {
  it('serves and bills accounts of every slot, streams and stacks included', async () => {
    const accounts = await Promise.all(
      Array.from({ length: accountsMax }, () => gateway.openAccount({ usd: '1' })),
    );
    await Promise.all(
      accounts.map(async ({ apiKey }) => {
        const { chat } = gateway.clientFor(apiKey);
        await chat.completions.create({ model: plainModel, messages });
        const stream = await chat.completions.create({ model: chatModel, messages, stream: true });
        for await (const chunk of stream) expect(chunk.object).toBe('chat.completion.chunk');
      }),
    );
    for (const { accountId } of accounts) {
      await untilSettled(gateway, accountId);
      const { settled } = await gateway.storage.ledger.balance(accountId);
      const page = await gateway.storage.usage.page({ accountId, before: undefined, limit: 10 });
      const charges = (page?.lines ?? []).map(({ charged }) => charged);
      expect(charges).toHaveLength(2);
      expect(settled).toBe(charges.reduce((sum, charged) => sum + charged, 0n));
      expect(settled).toBeGreaterThan(0n);
    }
    expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
  });

  it('tells a caller its account, and stops a revoked key', async () => {
    const { apiKey, keyId } = await gateway.openAccount({ usd: '1' });
    const client = gateway.clientFor(apiKey);
    expect(await client.get('/account')).toMatchObject({ deposited_usd: '1', balance_usd: '1' });
    await gateway.storage.apiKeys.revoke(keyId);
    await expect
      .poll(
        () =>
          client.models.list().then(
            () => 200,
            (error) => error.status,
          ),
        { timeout: 2000 },
      )
      .toBe(401);
  });
});
