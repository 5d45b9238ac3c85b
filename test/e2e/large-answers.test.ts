/** Answers larger than what Envoy holds: they pass in pieces, and are charged all the same. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { embeddingModel } from './fleet.ts';
import { startTestGateway, type TestGateway, untilSettled } from './gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway?.close());

const texts = 600;
const dimensions = 3072;
const picoPerToken = 20_000n;

it('a batch of embeddings of some 17 MB arrives whole and is charged exactly', async () => {
  const answer = await gateway.client.embeddings.create({
    model: embeddingModel,
    input: Array.from({ length: texts }, (_, index) => `text ${index}`),
    dimensions,
    encoding_format: 'float',
  });
  expect(answer.data).toHaveLength(texts);
  expect(answer.data.every(({ embedding }) => embedding.length === dimensions)).toBe(true);
  expect(JSON.stringify(answer).length).toBeGreaterThan(16 * 1024 * 1024);

  await untilSettled(gateway, gateway.accountId);
  const { settled } = await gateway.storage.ledger.balance(gateway.accountId);
  expect(settled).toBe(BigInt(answer.usage.prompt_tokens) * picoPerToken);
  expect((await gateway.storage.audit()).ok).toBe(true);
});
