/** Sealed requests through real Envoy: only the locked node reads them, once, and nobody pays twice. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openResponse } from '../../confidential/response.ts';
import { chatModel } from './fleet.ts';
import { type TestGateway, until, untilSettled } from './gateway.ts';
import { errorIn, type RawAnswer } from './raw.ts';
import { everythingIn } from './redis-scan.ts';
import { lockNode, openStream, openWhole, seal, sealedPaths, sendSealed } from './sealed.ts';
import {
  loneModel,
  pictureModel,
  startSealedGateway,
  tightModel,
  vectorModel,
} from './sealed-fleet.ts';
import { usageLineOf } from './usage.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startSealedGateway();
});
afterAll(() => gateway?.close());
afterEach(async () => {
  for (const node of gateway.devnet.nodes) node.clearFault();
  await untilSettled(gateway, gateway.accountId);
  expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
});

/** Stands in every sealed text, and must be found nowhere else. */
const canary = `canary-${randomBytes(8).toString('hex')}`;

const chatOf = (model: string, more: object = {}) => ({
  model,
  messages: [{ role: 'user', content: `Keep this secret: ${canary}` }],
  max_tokens: 8,
  stream: false,
  ...more,
});

const balance = (accountId = gateway.accountId) => gateway.storage.ledger.balance(accountId);
const seenBy = (id: string) => gateway.devnet.node(id).received;
const requestIdOf = ({ headers }: RawAnswer) => String(headers['x-request-id']);

describe('a sealed request', () => {
  it('is read and answered by the locked node alone, and paid by its stack', async () => {
    const lock = await lockNode(gateway, chatModel);
    const ids = ['atoma-a', 'atoma-b'];
    const locked = ids.find((id) => gateway.devnet.atomaNode(id).sealingKey() === lock.public_key);
    const sealed = seal(chatOf(chatModel), lock);
    const before = { balance: await balance(), counts: ids.map((id) => seenBy(id).length) };
    const answer = await sendSealed(gateway, sealed);
    const opened = openWhole(answer, sealed);

    expect(opened.json).toMatchObject({ object: 'chat.completion' });
    expect(opened.signerAddress).toBe(gateway.devnet.atomaNode(locked ?? '').signerAddress);
    expect(JSON.parse(answer.text)).toMatchObject({ usage: { completion_tokens: 8 } });
    ids.forEach((id, place) => {
      expect(seenBy(id).length - (before.counts[place] ?? 0)).toBe(id === locked ? 1 : 0);
    });
    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId: requestIdOf(answer) });
    expect(line.record).toMatchObject({ nodeId: locked, ending: 'completed', estimated: false });
    expect(line.record.usage).toMatchObject({ outputTokens: 8 });
    const after = await balance();
    expect(after.settled - before.balance.settled).toBe(line.charged);
    expect(line.charged).toBeGreaterThan(0n);
    await until(async () => {
      const { stacks } = await gateway.storage.unitPool.state(chatModel);
      return (stacks.find(({ id }) => id === String(lock.stack_small_id))?.used ?? 0) > 0;
    });
  });

  it('is streamed event by event, and ends without [DONE]', async () => {
    const sealed = seal(chatOf(chatModel, { stream: true }), await lockNode(gateway, chatModel));
    const answer = await sendSealed(gateway, sealed);
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.headers['content-type']).toBe('text/event-stream');
    expect(answer.text).not.toContain('[DONE]');
    const events = openStream(answer.text, sealed);
    expect(events.at(-1)?.usage).toMatchObject({ completion_tokens: 8 });
    expect(events.filter(({ json }) => json.object === 'chat.completion.chunk').length).toBe(
      events.length,
    );
    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId: requestIdOf(answer) });
    expect(line.record).toMatchObject({ ending: 'completed', estimated: false });
    // The node is one that repeats its nonces, as published nodes do.
    const counts = await Promise.all(
      [1, 2].map(async (number) => {
        const url = gateway.gateway.metricsUrls[`ext-proc-${number}`] ?? '';
        const metrics = await (await fetch(url)).text();
        return /^atoma_sealed_nonces_repeated_total\{.*\} ([1-9]\d*)$/m.test(metrics);
      }),
    );
    expect(counts).toContain(true);
  });

  it('may be a completion', async () => {
    const body = { model: chatModel, prompt: canary, max_tokens: 5 };
    const sealed = seal(body, await lockNode(gateway, chatModel));
    const answer = await sendSealed(gateway, sealed, { path: sealedPaths.completions });
    expect(openWhole(answer, sealed).json).toMatchObject({ object: 'text_completion' });
  });

  it('may ask for embeddings, whose usage gets the count that SDKs demand', async () => {
    const sealed = seal(
      { model: vectorModel, input: [canary] },
      await lockNode(gateway, vectorModel),
    );
    const answer = await sendSealed(gateway, sealed, { path: sealedPaths.embeddings });
    expect(openWhole(answer, sealed).json).toMatchObject({ object: 'list' });
    expect(JSON.parse(answer.text).usage).toMatchObject({
      prompt_tokens: expect.any(Number),
      completion_tokens: 0,
      total_tokens: expect.any(Number),
    });
    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId: requestIdOf(answer) });
    expect(line.record.usage.inputTokens).toBeGreaterThan(0);
  });

  it('may ask for a picture, which costs what one of the usual size does', async () => {
    const body = { model: pictureModel, prompt: canary, n: 1, size: '256x256' };
    const sealed = seal(body, await lockNode(gateway, pictureModel));
    const answer = await sendSealed(gateway, sealed, { path: sealedPaths.images });
    expect(openWhole(answer, sealed).json).toMatchObject({ data: [expect.any(Object)] });
    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId: requestIdOf(answer) });
    expect(line.record.usage).toMatchObject({ images: 1, imagePixels: 1024 * 1024 });
  });

  it('may be large', async () => {
    const prompt = 'x'.repeat(300_000);
    const sealed = seal(
      { model: vectorModel, input: [prompt] },
      await lockNode(gateway, vectorModel),
    );
    const answer = await sendSealed(gateway, sealed, { path: sealedPaths.embeddings });
    // The node has its say about the length; what matters is that all of it came there.
    expect(seenBy('vault').at(-1)?.body.length).toBe(sealed.body.length);
    expect([200, 400]).toContain(answer.status);
  });

  it('that is changed on its way back is not what its caller opens', async () => {
    const sealed = seal(chatOf(chatModel), await lockNode(gateway, chatModel));
    const answer = await sendSealed(gateway, sealed);
    const outside = JSON.parse(answer.text);
    for (const field of ['ciphertext', 'nonce', 'response_hash', 'signature']) {
      const bytes = Buffer.from(outside[field], 'base64');
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      const bent = JSON.stringify({ ...outside, [field]: bytes.toString('base64') });
      expect(openResponse(bent, sealed.cipher).kind).not.toBe('opened');
    }
    expect(openResponse(answer.text, sealed.cipher).kind).toBe('opened');
  });

  it('that its caller leaves costs what was delivered', async () => {
    gateway.devnet.node('lone').setPace({ tokensPerSecond: 50 });
    const body = chatOf(loneModel, { stream: true, max_tokens: 1000 });
    const sealed = seal(body, await lockNode(gateway, loneModel));
    const leaving = new AbortController();
    const response = await fetch(`${gateway.baseUrl}${sealedPaths.chat}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gateway.apiKey}`,
        'content-type': 'application/json',
      },
      body: sealed.body,
      signal: leaving.signal,
    });
    const requestId = response.headers.get('x-request-id') ?? '';
    const reader = response.body?.getReader();
    for (let piece = 0; piece < 5; piece += 1) await reader?.read();
    leaving.abort();
    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId });
    gateway.devnet.node('lone').setPace({ tokensPerSecond: 0 });
    expect(line.record).toMatchObject({ ending: 'client-aborted' });
    expect(line.record.usage.outputTokens).toBeGreaterThan(2);
    expect(line.record.usage.outputTokens).toBeLessThan(200);
  });

  it('that uses more than it was let in with gets no answer, and pays all that was held', async () => {
    const lock = await lockNode(gateway, tightModel);
    const sealed = seal(chatOf(tightModel, { max_tokens: 500, n: 1 }), lock);
    gateway.devnet.node('lone').setPace({ replyTokens: 400 });
    const before = await balance();
    const answer = await sendSealed(gateway, sealed);
    gateway.devnet.node('lone').setPace({ replyTokens: 16 });
    expect(answer.status).toBe(400);
    expect(errorIn(answer)).toMatchObject({ code: 'request_above_lock' });
    await untilSettled(gateway, gateway.accountId);
    expect((await balance()).settled).toBeGreaterThan(before.settled);

    gateway.devnet.node('lone').setPace({ replyTokens: 400 });
    const stated = seal(
      chatOf(tightModel, { max_tokens: 500 }),
      await lockNode(gateway, tightModel),
      {
        num_compute_units: 500,
      },
    );
    openWhole(await sendSealed(gateway, stated), stated);
    gateway.devnet.node('lone').setPace({ replyTokens: 16 });
  });
});

describe('the gateway', () => {
  it('keeps nothing of what was sealed: neither in Redis nor in its logs', async () => {
    const folder = gateway.logsDir;
    const logs = await Promise.all(
      (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')),
    );
    expect(logs.join('').length).toBeGreaterThan(100);
    const texts = [...logs, ...(await everythingIn(gateway.gateway.redisUrl))];
    for (const text of texts) {
      expect(text).not.toContain(canary);
      expect(text).not.toContain(Buffer.from(canary).toString('base64').slice(2, -4));
      expect(text).not.toContain('Keep this secret');
    }
  });
});
