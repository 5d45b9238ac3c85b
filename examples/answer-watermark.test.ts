import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchangeToJson } from '../domain/exchange-json.ts';
import type { ExtProcPlugin, ExtProcTools } from '../ext-proc/plugin.ts';
import { type Gateway, startGateway } from '../ext-proc/testing/gateway.ts';
import { createLogger } from '../runtime/log.ts';
import { loadPlugins } from '../runtime/plugin.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';

const load = (config: unknown) =>
  loadPlugins<ExtProcTools, ExtProcPlugin>([{ module: './answer-watermark.ts', config }], {
    folder: import.meta.dirname,
    tools: { log: createLogger({ name: 'test', level: 'silent' }) },
  });

let redis: TestRedis;
let gateway: Gateway;

beforeAll(async () => {
  redis = await startRedis();
  const plugins = await load({ gateway: 'gw-1', markedModels: ['marked'] });
  gateway = await startGateway({ redisUrl: redis.url, plugins });
});

afterAll(async () => {
  await gateway.close();
  await redis.stop();
});

async function answerOf(model: string, body: string) {
  const exchange = await gateway.reserve({ model, stream: false });
  const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange) });
  await stream.headers(200, { 'content-type': 'application/json' });
  await stream.body(body, true);
  stream.end();
  await gateway.recordOf(exchange);
  return stream.received;
}

const body = '{"choices":[],"seed":12345678901234567890,"usage":{"prompt_tokens":1}}';

describe('the watermark', () => {
  it('names the gateway in a header of every answer', async () => {
    const answer = await answerOf('plain', body);
    expect(answer.headers['x-served-through']).toBe('gw-1');
    expect(answer.body).toBe(body);
  });

  it('stands in the answers of marked models, which stay the same otherwise', async () => {
    const answer = await answerOf('marked', body);
    expect(answer.body).toBe(`{"served_through":"gw-1",${body.slice(1)}`);
  });

  it('does not start with a setting that it does not know', async () => {
    await expect(load({ gateway: 'gw-1', markedModel: 'x' })).rejects.toThrow('cannot be used');
  });
});
