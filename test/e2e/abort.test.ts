import { connect, constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReceivedRequest } from '../../devnet/records.ts';
import { costOf } from '../../domain/price.ts';
import { type RawRequest, sendChat, tokensIn } from './chat-request.ts';
import { chatModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { usageLineOf } from './usage.ts';

const closeMsMax = 200;
const tries = 5;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
  for (const node of gateway.devnet.nodes) node.setPace({ tokensPerSecond: 100 });
});
afterAll(() => gateway?.close());

const bodyOf = (model: string, more: object = {}) => ({
  model,
  messages: [{ role: 'user', content: 'Tell me a long story, please.' }],
  max_tokens: 2000,
  stream: true,
  ...more,
});

const received = (): readonly ReceivedRequest[] =>
  gateway.devnet.nodes.flatMap((node) => node.received);

/** The newest request at any node that is still open. */
async function openAtNode(): Promise<ReceivedRequest> {
  const find = () => received().find(({ closedMs }) => closedMs === undefined);
  await until(() => find() !== undefined);
  const found = find();
  if (!found) throw new Error('no request is open');
  return found;
}

/** Leaves once the caller has what it waits for; tells how long the node did not know. */
async function leaveAfter(wait: (request: RawRequest) => Promise<unknown>, body: object) {
  const request = sendChat(gateway, body);
  const atNode = await openAtNode();
  await wait(request);
  const { reserved } = await gateway.storage.ledger.balance(gateway.accountId);
  const leftMs = request.leave();
  await until(() => atNode.closedMs !== undefined);
  const closeMs = (atNode.closedMs ?? 0) - leftMs;
  return { atNode, closeMs, reserved, seen: tokensIn(request.text()) };
}

const lineOf = ({ requestId }: ReceivedRequest) =>
  usageLineOf(gateway, { accountId: gateway.accountId, requestId });

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function repeat<T>(times: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let turn = 0; turn < times; turn += 1) results.push(await run());
  return results;
}

const someTokens = (request: RawRequest) => until(() => tokensIn(request.text()) >= 5);
const shortly = () => new Promise((resolve) => setTimeout(resolve, 100));

describe.each([chatModel, plainModel])('a caller of %s', (model) => {
  it('who leaves amid a stream stops the node at once and pays for what was delivered', async () => {
    const left = await repeat(tries, async () => {
      const one = await leaveAfter(someTokens, bodyOf(model));
      await untilSettled(gateway, gateway.accountId);
      return one;
    });
    expect(median(left.map(({ closeMs }) => closeMs))).toBeLessThan(closeMsMax);
    const price = await priceOf(model);
    for (const { atNode, seen, reserved } of left) {
      const line = await lineOf(atNode);
      const { usage, ending, status } = line.record;
      expect({ ending, status }).toEqual({ ending: 'client-aborted', status: 200 });
      expect(seen).toBeGreaterThanOrEqual(5);
      expect(usage.outputTokens).toBeGreaterThanOrEqual(seen);
      expect(usage.outputTokens).toBeLessThanOrEqual(atNode.tokensSent);
      expect(usage.inputTokens).toBeGreaterThan(0);
      expect(line.charged).toBe(costOf(price, usage));
      expect(line.charged).toBeLessThan(reserved);
      expect(atNode.completed).toBe(false);
    }
  });

  it('who leaves before the first byte pays nothing', async () => {
    const pace = { firstTokenMs: 60_000 };
    for (const node of gateway.devnet.nodes) node.setPace(pace);
    const left = await repeat(tries, () => leaveAfter(shortly, bodyOf(model)));
    for (const node of gateway.devnet.nodes) node.setPace({ firstTokenMs: 0 });
    expect(median(left.map(({ closeMs }) => closeMs))).toBeLessThan(closeMsMax);
    for (const { atNode, seen, reserved } of left) {
      expect(seen).toBe(0);
      expect(reserved).toBeGreaterThan(0n);
      expect(await lineOf(atNode)).toMatchObject({
        charged: 0n,
        record: { ending: 'client-aborted' },
      });
    }
  });

  it('who leaves while a JSON answer is made pays nothing', async () => {
    // Far longer than a busy machine takes to leave.
    for (const node of gateway.devnet.nodes) node.setPace({ tokensPerSecond: 2 });
    const left = await repeat(tries, () => leaveAfter(shortly, bodyOf(model, { stream: false })));
    for (const node of gateway.devnet.nodes) node.setPace({ tokensPerSecond: 100 });
    expect(median(left.map(({ closeMs }) => closeMs))).toBeLessThan(closeMsMax);
    await untilSettled(gateway, gateway.accountId);
    for (const { atNode, reserved } of left) {
      expect(reserved).toBeGreaterThan(0n);
      expect(await lineOf(atNode)).toMatchObject({
        charged: 0n,
        record: { ending: 'client-aborted' },
      });
      expect(atNode.completed).toBe(false);
    }
  });
});

describe('many callers', () => {
  it('who leave together stop every node, and leave no money behind', async () => {
    const requests = Array.from({ length: 20 }, () => sendChat(gateway, bodyOf(plainModel)));
    await Promise.all(requests.map(someTokens));
    const openBefore = received().filter(({ closedMs }) => closedMs === undefined);
    expect(openBefore).toHaveLength(20);
    const leftMs = Math.max(...requests.map((request) => request.leave()));
    await until(() => openBefore.every(({ closedMs }) => closedMs !== undefined));
    const delays = openBefore.map(({ closedMs = 0 }) => closedMs - leftMs);
    expect(median(delays)).toBeLessThan(closeMsMax);
    await untilSettled(gateway, gateway.accountId);
    expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
  });

  it.each([
    ['without', constants.NGHTTP2_NO_ERROR],
    ['with', constants.NGHTTP2_CANCEL],
  ])(
    'may also leave one stream of a shared HTTP/2 connection, %s an error code',
    async (_, code) => {
      const session = connect(gateway.baseUrl);
      const stream = session.request({
        ':method': 'POST',
        ':path': '/v1/chat/completions',
        authorization: `Bearer ${gateway.apiKey}`,
        'content-type': 'application/json',
      });
      stream.end(JSON.stringify(bodyOf(plainModel)));
      const atNode = await openAtNode();
      await new Promise((resolve) => stream.once('data', resolve));
      stream.close(code);
      const leftMs = Date.now();
      await until(() => atNode.closedMs !== undefined);
      expect((atNode.closedMs ?? 0) - leftMs).toBeLessThan(5 * closeMsMax);
      expect(session.closed).toBe(false);
      session.close();
      const line = await lineOf(atNode);
      expect(line.record.ending).toBe('client-aborted');
      expect(line.record.usage.outputTokens).toBeLessThanOrEqual(atNode.tokensSent);
    },
  );

  it('balance to the last pico-dollar', async () => {
    const report = await gateway.storage.audit();
    expect(report).toMatchObject({ ok: true, problems: [] });
    expect(await gateway.storage.ledger.balance(gateway.accountId)).toMatchObject({ reserved: 0n });
  });
});

async function priceOf(model: string) {
  const { models } = await gateway.storage.catalogue.read();
  const price = models.find(({ id }) => id === model)?.price;
  if (!price) throw new Error(`no price for ${model}`);
  return price;
}
