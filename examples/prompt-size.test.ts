import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AdmissionStep, AdmissionTools } from '../ext-authz/plugin.ts';
import {
  chatBody,
  createCaller,
  headersWith,
  modelNamed,
  startReplica,
} from '../ext-authz/testing/world.ts';
import { createLogger } from '../runtime/log.ts';
import { loadPlugins } from '../runtime/plugin.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';

const load = (config: unknown) =>
  loadPlugins<AdmissionTools, AdmissionStep>([{ module: './prompt-size.ts', config }], {
    folder: import.meta.dirname,
    tools: { log: createLogger({ name: 'test', level: 'silent' }), nowMs: () => 0 },
  });

let redis: TestRedis;
let replica: Awaited<ReturnType<typeof startReplica>>;
let caller: Awaited<ReturnType<typeof createCaller>>;
let headers: Readonly<Record<string, string>>;

beforeAll(async () => {
  redis = await startRedis();
  const steps = await load({ bytesMax: { plain: 1000 } });
  const models = [modelNamed('plain'), modelNamed('free')];
  replica = await startReplica({ redisUrl: redis.url, models, steps });
  caller = await createCaller(replica.storage, 1_000_000n);
  headers = headersWith((await caller.createKey()).text);
});
afterAll(async () => {
  await replica.close();
  await redis.stop();
});

const long = [{ role: 'user', content: 'x'.repeat(1000) }];

describe('the prompt-size step', () => {
  it('refuses what is too large for its model, and nothing is held', async () => {
    const answer = await replica.ask({ headers, body: chatBody({ messages: long }) });
    expect(answer).toMatchObject({ kind: 'denied', status: 413 });
    expect((await caller.balance()).reserved).toBe(0n);
  });

  it('lets pass what is within the limit, and models without one', async () => {
    expect(await replica.ask({ headers, body: chatBody() })).toMatchObject({ kind: 'ok' });
    const other = headersWith((await caller.createKey()).text);
    const body = chatBody({ model: 'free', messages: long });
    expect(await replica.ask({ headers: other, body })).toMatchObject({ kind: 'ok' });
  });

  it('does not start with a limit that is none', async () => {
    await expect(load({ bytesMax: { plain: 0 } })).rejects.toThrow('cannot be used');
  });
});
