/** What follows where an Atoma node refuses a stack or the gateway's signature, and where a stack is used up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NetworkModelInput, NetworkNodeInput } from '../../devnet/network-schema.ts';
import { sendChat } from './chat-request.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';

const stackUnits = 20_000;
/** Each of these has a pair of nodes of its own; the first is nearly always the first choice. */
const topics = [
  'locked',
  'full',
  'unsigned',
  'busy',
  'small',
  'unknown',
  'used',
  'flying',
] as const;
type Topic = (typeof topics)[number];
const first = (topic: Topic) => `${topic}-a`;
const second = (topic: Topic) => `${topic}-b`;

const models: readonly NetworkModelInput[] = topics.map((id) => ({
  id,
  endpoints: ['chat'],
  context_tokens: 8192,
  output_tokens_max: 4096,
  media_tokens_max: 0,
  owned_by: 'acme',
  created: 1_735_689_600,
  price: { input: '0.5', cached_input: '0.25', output: '1.5' },
}));
const nodes: readonly NetworkNodeInput[] = topics.flatMap((topic) => [
  { id: first(topic), protocol: 'atoma', weight: 100, models: [topic] },
  { id: second(topic), protocol: 'atoma', weight: 1, models: [topic] },
]);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ models, nodes, stackUnits, sellsAhead: false });
});
afterAll(() => gateway?.close());
afterEach(async () => {
  for (const node of gateway.devnet.nodes) node.clearFault();
  await untilSettled(gateway, gateway.accountId);
  expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
});

const bodyOf = (model: string, tokens = 4, stream = false) => ({
  model,
  messages: [{ role: 'user', content: 'Say something nice, please.' }],
  max_tokens: tokens,
  stream,
});

/** A chat that must be answered, whichever node does it. */
async function chat(topic: Topic, tokens?: number): Promise<void> {
  const answer = await sendChat(gateway, bodyOf(topic, tokens)).answer;
  expect(answer).toMatchObject({ status: 200, ending: 'whole' });
}

const stackAt = (id: string, place = 0) =>
  gateway.devnet.atomaNode(id).stacks().at(place)?.id ?? '';
const stacksSeenBy = (id: string) =>
  gateway.devnet.node(id).received.map(({ headers }) => headers['x-stack-small-id']);

async function stateOf(model: string, stackId: string) {
  const { stacks } = await gateway.storage.unitPool.state(model);
  return stacks.find(({ id }) => id === stackId);
}

/** Until what has been answered stands in our own count of use. */
const untilCounted = (model: string) =>
  until(async () => (await gateway.storage.unitPool.state(model)).held === 0);

/** Chats until the node has been tried that often, all of them answered. */
async function chatUntilTried(topic: Topic, times: number, tokens?: number): Promise<void> {
  const node = gateway.devnet.node(first(topic));
  const before = node.received.length;
  for (let turn = 0; turn < 50 && node.received.length < before + times; turn += 1) {
    await chat(topic, tokens);
  }
  expect(node.received.length).toBeGreaterThanOrEqual(before + times);
}

/** Chats on; true where the node has had no request in all that time. */
async function isLeftOut(topic: Topic, turns = 10): Promise<boolean> {
  const node = gateway.devnet.node(first(topic));
  const before = node.received.length;
  for (let turn = 0; turn < turns; turn += 1) await chat(topic);
  return node.received.length === before;
}

describe('a stack that its node says is locked', () => {
  it('is closed though another node answered, and the next one of the node pays', async () => {
    const topic = 'locked';
    const old = stackAt(first(topic));
    const next = gateway.devnet.sellStack(first(topic), topic);
    await until(async () => (await stateOf(topic, next))?.live === true);
    gateway.devnet.atomaNode(first(topic)).lockStack(old);
    const usedBefore = (await stateOf(topic, old))?.used;

    await chatUntilTried(topic, 1);
    await until(async () => (await stateOf(topic, old))?.refused === 'closed');
    expect(await stateOf(topic, old)).toMatchObject({ live: false, used: usedBefore });
    await chatUntilTried(topic, 3);
    expect(stacksSeenBy(first(topic)).slice(-2)).toEqual([next, next]);
  });

  it('takes its node out where there is no other, until a new one lands', async () => {
    const topic = 'locked';
    const node = gateway.devnet.atomaNode(first(topic));
    for (const { id } of node.stacks()) node.lockStack(id);
    await chatUntilTried(topic, 1);
    await until(
      async () => (await stateOf(topic, stackAt(first(topic), -1)))?.refused === 'closed',
    );
    await sleep(100);
    expect(await isLeftOut(topic)).toBe(true);

    const landed = gateway.devnet.sellStack(first(topic), topic);
    await until(async () => (await stateOf(topic, landed))?.live === true);
    await chatUntilTried(topic, 2);
    expect(stacksSeenBy(first(topic)).at(-1)).toBe(landed);
  });
});

describe('a node that refuses every signature', () => {
  it('is an alarm, and is left out after five in a row, while the other answers', async () => {
    const topic = 'unsigned';
    const node = gateway.devnet.node(first(topic));
    node.setFault({ kind: 'status', status: 401 });
    await chatUntilTried(topic, 5);
    expect(await isLeftOut(topic, 20)).toBe(true);
    expect(await stateOf(topic, stackAt(first(topic)))).toMatchObject({
      live: true,
      refused: 'no',
    });
    const alarms = (await gateway.readLog('ext-proc-1'))
      .split('\n')
      .filter((line) => line.includes('a node refuses the gateway') && line.includes(node.id));
    expect(alarms).toHaveLength(5);
    expect(alarms[0]).toContain('"reason":"signature"');
  });
});

describe('a busy node', () => {
  const topic = 'busy';
  const isBusy = (id: string, headers: Record<string, string> = {}) =>
    gateway.devnet.node(id).setFault({ kind: 'status', status: 429, headers });

  it('has no say in how soon another one is asked', async () => {
    isBusy(first(topic), { 'retry-after': '1' });
    const startedMs = performance.now();
    await chatUntilTried(topic, 1);
    expect(performance.now() - startedMs).toBeLessThan(900);
    expect(await stateOf(topic, stackAt(first(topic)))).toMatchObject({
      live: true,
      refused: 'no',
    });
  });

  it.each([
    [{ 'retry-after': '7' }, '7'],
    // As Atoma nodes say it.
    [{}, '1'],
  ])('and no other: the caller gets its 429 and its Retry-After (%o)', async (headers, seen) => {
    for (const id of [first(topic), second(topic)]) isBusy(id, headers);
    const answer = await sendChat(gateway, bodyOf(topic)).answer;
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': seen } });
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: 'rate_limit_exceeded' } });
  });
});

describe('a stack with too few units by the count of its node', () => {
  const topic = 'full';

  it('rests though another node answered, and pays again after its rest', async () => {
    const stackId = stackAt(first(topic));
    const node = gateway.devnet.node(first(topic));
    node.setFault({ kind: 'status', status: 425 });
    await until(async () => {
      await chat(topic);
      return (await stateOf(topic, stackId))?.refused === 'resting';
    });
    expect(await stateOf(topic, stackId)).toMatchObject({ live: false, used: 0 });
    await sleep(100);
    expect(await isLeftOut(topic)).toBe(true);

    node.clearFault();
    await until(async () => (await stateOf(topic, stackId))?.live === true);
    await chatUntilTried(topic, 2);
    expect((await stateOf(topic, stackId))?.used).toBeGreaterThan(0);
  });
});

describe('a stack that is too small for one request', () => {
  it('stays, since our own count says so too: nobody makes a node rest by asking for much', async () => {
    const topic = 'small';
    for (const id of [first(topic), second(topic)]) {
      gateway.devnet.node(id).setPace({ replyTokens: 4000 });
    }
    const stackId = stackAt(first(topic));
    const left = async () => stackUnits - ((await stateOf(topic, stackId))?.used ?? 0);
    for (let turn = 0; turn < 20 && (await left()) > 4000; turn += 1) {
      await chat(topic, Math.min(4000, (await left()) - 2000));
      await untilCounted(topic);
    }
    await chatUntilTried(topic, 3, 4000);
    await untilCounted(topic);
    expect(await left()).toBeGreaterThan(1000);
    expect(await stateOf(topic, stackId)).toMatchObject({ live: true, refused: 'no' });
    await chatUntilTried(topic, 1);
  });
});

describe('a stack that the node does not know', () => {
  it('rests, so that one caller is refused and the next ones are not', async () => {
    const topic = 'unknown';
    const stackId = stackAt(first(topic));
    const body =
      '{"error":{"code":"INVALID_HEADER","message":"Unknown stack, and no X-Tx-Digest"}}';
    gateway.devnet.node(first(topic)).setFault({ kind: 'status', status: 400, body });
    let status = 200;
    for (let turn = 0; turn < 50 && status === 200; turn += 1) {
      ({ status } = await sendChat(gateway, bodyOf(topic)).answer);
    }
    expect(status).toBe(502);
    await until(async () => (await stateOf(topic, stackId))?.refused === 'resting');
    await sleep(100);
    expect(await isLeftOut(topic)).toBe(true);
  });
});

describe('rotation', () => {
  it('takes out a node whose stacks are used up, without a failed request, until a new one lands', async () => {
    const topic = 'used';
    for (let more = 0; more < 2; more += 1) gateway.devnet.sellStack(second(topic), topic);
    const node = gateway.devnet.node(first(topic));
    node.setPace({ replyTokens: 4000 });
    gateway.devnet.node(second(topic)).setPace({ replyTokens: 4000 });
    await until(async () => (await gateway.storage.unitPool.state(topic)).free >= 4 * stackUnits);

    const stackId = stackAt(first(topic));
    const left = async () => stackUnits - ((await stateOf(topic, stackId))?.used ?? 0);
    const isGone = async () => (await stateOf(topic, stackId))?.live === false;
    for (let turn = 0; turn < 100 && !(await isGone()); turn += 1) {
      await chat(topic, Math.min(4000, Math.max(4, (await left()) - 200)));
      await untilCounted(topic);
    }
    // By our count nothing is left, or the node has locked it at 95 percent.
    expect(await isGone()).toBe(true);
    expect(await left()).toBeLessThan(stackUnits * 0.05);
    await sleep(100);
    expect(await isLeftOut(topic)).toBe(true);

    const landed = gateway.devnet.sellStack(first(topic), topic);
    await until(async () => (await stateOf(topic, landed))?.live === true);
    await chatUntilTried(topic, 1);
    expect(stacksSeenBy(first(topic)).at(-1)).toBe(landed);
  });

  it('lets what is in flight on a stack end and pay, also where its node has left', async () => {
    const topic = 'flying';
    const stackId = stackAt(first(topic));
    const node = gateway.devnet.atomaNode(first(topic));
    node.setPace({ tokensPerSecond: 40, replyTokens: 60 });
    const flying = sendChat(gateway, bodyOf(topic, 60, true));
    await flying.firstByte;
    expect(node.openRequests).toBe(1);

    node.lockStack(stackId);
    await chatUntilTried(topic, 1);
    await until(async () => (await stateOf(topic, stackId))?.refused === 'closed');
    await sleep(100);
    expect(await isLeftOut(topic, 5)).toBe(true);
    expect(node.openRequests).toBe(1);

    const answer = await flying.answer;
    expect(answer).toMatchObject({ status: 200, ending: 'whole' });
    expect(answer.text).toContain('[DONE]');
    await until(async () => ((await stateOf(topic, stackId))?.used ?? 0) > 60);
  });
});
