import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NodeHandle } from '../../devnet/node-server.ts';
import { createOpenAiNode } from '../../devnet/openai-node.ts';
import { sendChat } from './chat-request.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { type SteadyLoad, startLoad } from './steady-load.ts';

const model = 'acme/filed-1';
const otherModel = 'acme/filed-2';
const effectMsMax = 1000;
const names = ['a', 'b', 'c'] as const;
type Name = (typeof names)[number];
type Weights = Partial<Record<Name, number>>;

let folder: string;
let gateway: TestGateway;
let nodes: Readonly<Record<Name, NodeHandle>>;
let load: SteadyLoad | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-fleet-'));
  const start = (id: Name) =>
    createOpenAiNode({
      id,
      models: [model, otherModel].map((served) => ({
        id: served,
        endpoints: ['chat'] as const,
        contextTokens: 8192,
      })),
      pace: { tokensPerSecond: 200 },
    });
  nodes = { a: await start('a'), b: await start('b'), c: await start('c') };
  await writeFile(join(folder, 'nodes.yaml'), yamlOf({ a: 100 }));
  gateway = await startTestGateway({
    models: [],
    nodes: [],
    env: { ATOMA_NODES_FILE: join(folder, 'nodes.yaml') },
  });
  await until(async () => (await gateway.storage.catalogue.read()).models.length === 1);
  await until(async () => (await ask()).status === 200);
});

afterEach(async () => {
  await load?.stop();
  load = undefined;
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all(names.map((name) => nodes?.[name].close()));
  await rm(folder, { recursive: true, force: true });
});

const yamlOf = (weights: Weights) => `models:
  - id: ${model}
    endpoints: [chat]
    context_tokens: 8192
    output_tokens_max: 256
    price: { input: 0.5, output: 1.5 }
nodes:
${names
  .filter((name) => weights[name] !== undefined)
  .map(
    (id) =>
      `  - { id: ${id}, url: '${nodes[id].url}', weight: ${weights[id]}, models: [${model}] }`,
  )
  .join('\n')}
`;

/** Replaces the file as an editor does, whole or not at all; returns when it was done. */
async function save(text: string): Promise<number> {
  await writeFile(join(folder, 'nodes.yaml.new'), text);
  await rename(join(folder, 'nodes.yaml.new'), join(folder, 'nodes.yaml'));
  return Date.now();
}

const ask = (asked: string = model) =>
  sendChat(gateway, {
    model: asked,
    max_tokens: 1,
    messages: [{ role: 'user', content: 'Hi' }],
  }).answer;

const countsOf = () => names.map((name) => nodes[name].received.length);

/** How a hundred percent of so many requests, one after the other, divide among the nodes. */
async function sharesOf(requests: number): Promise<readonly number[]> {
  const before = countsOf();
  for (let sent = 0; sent < requests; sent += 1) expect((await ask()).status).toBe(200);
  return countsOf().map((count, at) => ((count - (before[at] ?? 0)) * 100) / requests);
}

const startedSince = (name: Name, sinceMs: number) =>
  nodes[name].received.filter(({ startedMs }) => startedMs >= sinceMs);

async function underLoad(change: () => Promise<void>): Promise<void> {
  load = startLoad(gateway, { model, callers: 6, tokensMax: 12 });
  await load.untilServed(6, 20_000);
  await change();
  await load.untilServed(6, 20_000);
  const outcomes = await load.stop();
  expect(outcomes.filter(({ kind }) => kind !== 'whole')).toEqual([]);
  await untilSettled(gateway, gateway.accountId);
  expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
}

describe('an edit of the nodes file, under load and without a failed request,', () => {
  it('adds a node within a second', () =>
    underLoad(async () => {
      expect(nodes.b.received).toHaveLength(0);
      const savedMs = await save(yamlOf({ a: 50, b: 50 }));
      await until(() => nodes.b.received.length > 0);
      expect((nodes.b.received[0]?.startedMs ?? 0) - savedMs).toBeLessThan(effectMsMax);
    }));

  it('removes a node within a second, and lets its requests end', () =>
    underLoad(async () => {
      const savedMs = await save(yamlOf({ b: 50, c: 50 }));
      await delay(effectMsMax + 500);
      expect(startedSince('a', savedMs + effectMsMax)).toEqual([]);
      expect(startedSince('c', savedMs).length).toBeGreaterThan(0);
      expect(nodes.a.received.every(({ completed }) => completed)).toBe(true);
    }));

  it('changes the shares within a second', () =>
    underLoad(async () => {
      const savedMs = await save(yamlOf({ a: 1, b: 99 }));
      await delay(effectMsMax + 1500);
      const [a, b, c] = names.map((name) => startedSince(name, savedMs + effectMsMax).length);
      expect(c).toBe(0);
      expect(b).toBeGreaterThan(20);
      expect(a).toBeLessThan((b ?? 0) / 5);
    }));
});

describe('many edits in a row', () => {
  it('fail no request, and the last one counts', () =>
    underLoad(async () => {
      for (let turn = 0; turn < 24; turn += 1) {
        await save(yamlOf(turn % 2 === 0 ? { a: 20, b: 80 } : { b: 10, c: turn }));
        await delay(100);
      }
      const savedMs = await save(yamlOf({ a: 40, b: 40 }));
      await delay(effectMsMax + 500);
      expect(startedSince('a', savedMs).length).toBeGreaterThan(0);
      expect(startedSince('c', savedMs + effectMsMax)).toEqual([]);
    }));
});

describe('a model', () => {
  it('comes and goes with the file, within a second', async () => {
    const alone = yamlOf({ a: 1 });
    expect((await ask(otherModel)).status).toBe(404);
    await save(alone.replaceAll(model, otherModel));
    await until(async () => (await ask(otherModel)).status === 200, effectMsMax);
    await until(async () => (await ask()).status === 404, effectMsMax);
    await save(alone);
    await until(async () => (await ask()).status === 200, effectMsMax);
    await until(async () => (await ask(otherModel)).status === 404, effectMsMax);
  });
});

describe('shares', () => {
  it.each([
    [{ a: 1, b: 3 }, [25, 75, 0]],
    [{ a: 30, b: 10, c: 60 }, [30, 10, 60]],
    [{ a: 7, b: 7 }, [50, 50, 0]],
  ])('of %o are %o percent', async (weights: Weights, expected) => {
    await save(yamlOf(weights));
    await delay(effectMsMax);
    const shares = await sharesOf(200);
    // Equal weights are drawn at random, unequal ones in turn.
    const tolerance = expected.includes(50) ? 18 : 4;
    for (const [at, share] of shares.entries()) {
      expect(Math.abs(share - (expected[at] ?? 0))).toBeLessThanOrEqual(tolerance);
    }
  });
});

describe('a wrong edit', () => {
  it.each([
    ['broken YAML', () => 'nodes: ['],
    ['a weight of nothing', () => yamlOf({ a: 0 })],
    ['an unknown setting', () => 'colour: red\n'],
  ])('(%s) is refused and logged, and the last good fleet stays', async (_name, text) => {
    await save(yamlOf({ a: 1, b: 3 }));
    await delay(effectMsMax);
    const refusals = async () =>
      (await gateway.readLog('control-plane')).split('the last good fleet stays').length;
    const before = await refusals();
    await save(text());
    await until(async () => (await refusals()) > before, effectMsMax);
    await delay(effectMsMax);
    const [a = 0, b = 0, c] = await sharesOf(60);
    expect(c).toBe(0);
    expect(Math.abs(a - 25)).toBeLessThanOrEqual(8);
    expect(Math.abs(b - 75)).toBeLessThanOrEqual(8);
  });

  it('is mended by the next good one', async () => {
    await save(yamlOf({ c: 1 }));
    const savedMs = Date.now();
    await until(async () => {
      await ask();
      return nodes.c.received.some(({ startedMs }) => startedMs > savedMs);
    }, effectMsMax);
    await delay(effectMsMax);
    expect(await sharesOf(20)).toEqual([0, 0, 100]);
  });
});

describe('an edit while the control plane is away', () => {
  it('takes effect once it is back, and fails no request', () =>
    underLoad(async () => {
      const controlPlane = gateway.gateway.process('control-plane');
      const pid = controlPlane.pid();
      controlPlane.kill('SIGKILL');
      const savedMs = await save(yamlOf({ a: 1 }));
      await until(() => controlPlane.pid() !== pid);
      expect(startedSince('a', savedMs)).toEqual([]);
      await until(() => startedSince('a', savedMs).length > 0);
      const seenMs = Date.now();
      await delay(500);
      expect(startedSince('c', seenMs + 250)).toEqual([]);
    }));
});
