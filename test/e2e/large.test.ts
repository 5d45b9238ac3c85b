/** Bodies and answers larger than what Envoy holds of a connection: they pass in pieces, and are charged all the same. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { embeddingModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, untilSettled } from './gateway.ts';
import { send } from './raw.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway?.close());

const mebibyte = 1024 * 1024;
const bodyBytesMax = 20 * mebibyte;
const pauseMs = 500;

/** A chat with a picture that fills the body up to the size. */
function chatOf(bytes: number): string {
  const head = `{"model":"${plainModel}","stream":true,"max_tokens":3,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,`;
  const tail = '"}}]}]}';
  return head + 'A'.repeat(bytes - head.length - tail.length) + tail;
}

describe('a body that arrives while its key is still being checked', () => {
  it.each([
    [false, 2 * mebibyte, 200],
    [false, bodyBytesMax, 200],
    [true, bodyBytesMax, 200],
    [true, bodyBytesMax + 100_000, 413],
    [true, 2 * bodyBytesMax, 413],
  ])(
    '(in chunks: %s) of %i bytes is read on, and answered with %i',
    async (chunked, size, status) => {
      const admission = gateway.gateway.process('ext-authz-1');
      admission.kill('SIGSTOP');
      const answer = send(gateway, { body: chatOf(size), chunked });
      await delay(pauseMs);
      admission.kill('SIGCONT');
      expect((await answer).status).toBe(status);
    },
  );
});

describe('a batch of embeddings of some 17 MB', () => {
  const texts = 600;
  const dimensions = 3072;
  const picoPerToken = 20_000n;

  it('arrives whole and is charged exactly', async () => {
    const { accountId, apiKey } = await gateway.openAccount({ usd: '1' });
    const answer = await gateway.clientFor(apiKey).embeddings.create({
      model: embeddingModel,
      input: Array.from({ length: texts }, (_, index) => `text ${index}`),
      dimensions,
      encoding_format: 'float',
    });
    expect(answer.data).toHaveLength(texts);
    expect(answer.data.every(({ embedding }) => embedding.length === dimensions)).toBe(true);
    expect(JSON.stringify(answer).length).toBeGreaterThan(16 * mebibyte);

    await untilSettled(gateway, accountId);
    const { settled } = await gateway.storage.ledger.balance(accountId);
    expect(settled).toBe(BigInt(answer.usage.prompt_tokens) * picoPerToken);
    expect((await gateway.storage.audit()).ok).toBe(true);
  });
});
