/** Locks on nodes through real Envoy: who may use them, how often, and what follows where the node fails. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { suiAddress } from '../../domain/chain-ids.ts';
import { locksMax } from '../../domain/node-lock.ts';
import { chatModel } from './fleet.ts';
import { type TestGateway, until, untilSettled } from './gateway.ts';
import { errorIn, type RawAnswer } from './raw.ts';
import {
  askForLock,
  type Lock,
  lockNode,
  openWhole,
  seal,
  sealedPaths,
  sendSealed,
} from './sealed.ts';
import { loneModel, startSealedGateway } from './sealed-fleet.ts';
import { usageOf } from './usage.ts';

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

const chatOf = (model: string, more: object = {}) => ({
  model,
  messages: [{ role: 'user', content: 'Keep this secret.' }],
  max_tokens: 8,
  stream: false,
  ...more,
});

const balance = (accountId = gateway.accountId) => gateway.storage.ledger.balance(accountId);
const seen = () => gateway.devnet.nodes.reduce((sum, { received }) => sum + received.length, 0);

/** One sealed chat, answered and opened. */
async function chat(model: string, more: object = {}) {
  const sealed = seal(chatOf(model, more), await lockNode(gateway, model));
  return openWhole(await sendSealed(gateway, sealed), sealed);
}

/** Sends what must be refused by the gateway itself, without a trace. */
async function expectRefusal(
  answer: () => Promise<RawAnswer>,
  status: number,
  code: string | null,
) {
  const before = { balance: await balance(), seen: seen() };
  const refused = await answer();
  expect(refused.status).toBe(status);
  expect(errorIn(refused)).toMatchObject({ code });
  await untilSettled(gateway, gateway.accountId);
  expect({ balance: await balance(), seen: seen() }).toEqual(before);
  return refused;
}

describe('a sealed request without its lock', () => {
  const sendWith = async (change: Record<string, unknown>, lock?: Lock) => {
    const sealed = seal(chatOf(chatModel), lock ?? (await lockNode(gateway, chatModel)), change);
    return sendSealed(gateway, sealed);
  };
  const missing = [409, 'node_lock_missing'] as const;

  it.each([
    ['stack', { stack_small_id: 999_999 }],
    ['key', { node_dh_public_key: Buffer.alloc(32, 7).toString('base64') }],
    ['model', { model_name: loneModel }],
  ])('is refused where another %s is named', async (_name, change) => {
    await expectRefusal(() => sendWith(change), ...missing);
  });

  it('is refused to another account', async () => {
    const other = await gateway.openAccount({ usd: '1' });
    const lock = await lockNode(gateway, loneModel, { apiKey: other.apiKey });
    const sealed = seal(chatOf(loneModel), lock);
    await expectRefusal(() => sendSealed(gateway, sealed), ...missing);
    openWhole(await sendSealed(gateway, sealed, { apiKey: other.apiKey }), sealed);
  });

  it('is refused to a key that may not use the model or the endpoint', async () => {
    const narrow = await gateway.openAccount({ usd: '1', models: [chatModel], scopes: ['chat'] });
    expect(await askForLock(gateway, loneModel, narrow)).toMatchObject({ status: 403 });
    const lock = await lockNode(gateway, chatModel, narrow);
    const sealed = seal({ model: chatModel, prompt: 'x' }, lock);
    const path = sealedPaths.completions;
    expect(await sendSealed(gateway, sealed, { ...narrow, path })).toMatchObject({ status: 403 });
    const none = await gateway.openAccount({ usd: '1', scopes: ['models', 'account'] });
    expect(await askForLock(gateway, chatModel, none)).toMatchObject({ status: 403 });
  });

  it('is refused once the lock is used, and is never charged twice, also under another lock', async () => {
    const sealed = seal(chatOf(loneModel), await lockNode(gateway, loneModel));
    openWhole(await sendSealed(gateway, sealed), sealed);
    await untilSettled(gateway, gateway.accountId);
    await expectRefusal(() => sendSealed(gateway, sealed), ...missing);
    await lockNode(gateway, loneModel);
    await expectRefusal(() => sendSealed(gateway, sealed), ...missing);
  });

  it('gets one answer where it is sent ten times at once', async () => {
    const sealed = seal(chatOf(loneModel), await lockNode(gateway, loneModel));
    for (let more = 0; more < 3; more += 1) await lockNode(gateway, loneModel);
    const before = (await usageOf(gateway, gateway.accountId)).filter(
      ({ charged }) => charged > 0n,
    );
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async () => (await sendSealed(gateway, sealed)).status),
    );
    expect(statuses.toSorted()).toEqual([200, ...new Array(9).fill(409)]);
    await untilSettled(gateway, gateway.accountId);
    const after = (await usageOf(gateway, gateway.accountId)).filter(({ charged }) => charged > 0n);
    expect(after.length - before.length).toBe(1);
  });

  it('is refused once the node has another key, and a new lock names that one', async () => {
    const lock = await lockNode(gateway, loneModel);
    gateway.devnet.atomaNode('lone').rotateSealingKey();
    const current = gateway.devnet.atomaNode('lone').sealingKey();
    await until(() => gateway.storage.nodeLocks.isKeyInUse(current));
    await expectRefusal(() => sendSealed(gateway, seal(chatOf(loneModel), lock)), ...missing);
    await until(async () => (await lockNode(gateway, loneModel)).public_key === current);
    await chat(loneModel);
  });

  it('is refused as malformed where the envelope is not one', async () => {
    const lock = await lockNode(gateway, chatModel);
    for (const change of [{ salt: 'AAAA' }, { extra: 1 }, { plaintext_body_hash: 'AAAA' }]) {
      await expectRefusal(() => sendWith(change, lock), 400, null);
    }
    await expectRefusal(
      () => sendSealed(gateway, { body: JSON.stringify(chatOf(chatModel)) }),
      400,
      null,
    );
  });
});

describe('a lock', () => {
  it('holds no money, and is bounded in number', async () => {
    const { accountId, apiKey } = await gateway.openAccount({ usd: '1' });
    const before = await balance(accountId);
    let answer = await askForLock(gateway, loneModel, { apiKey });
    for (let count = 1; count < locksMax; count += 16) {
      const asked = Array.from({ length: 16 }, () => askForLock(gateway, loneModel, { apiKey }));
      answer = (await Promise.all(asked)).at(-1) ?? answer;
    }
    answer = await askForLock(gateway, loneModel, { apiKey });
    expect(answer).toMatchObject({ status: 429 });
    expect(errorIn(answer)).toMatchObject({ code: 'rate_limit_exceeded' });
    expect(await balance(accountId)).toEqual(before);
  });

  it('is spread over the nodes', async () => {
    const keys = new Set<string>();
    for (let turn = 0; turn < 40 && keys.size < 2; turn += 1) {
      keys.add((await lockNode(gateway, chatModel)).public_key);
    }
    expect(keys.size).toBe(2);
  });

  it('is refused for a model that nobody knows, or that no node opens sealed', async () => {
    expect(await askForLock(gateway, 'no/such')).toMatchObject({ status: 404 });
    const answer = await askForLock(gateway, 'acme/plain-1');
    expect(answer).toMatchObject({ status: 503 });
    expect(errorIn(answer)).toMatchObject({ code: 'no_healthy_node' });
  });

  it('stays where the request was refused before it left', async () => {
    const { accountId, apiKey } = await gateway.openAccount({ usd: '0.0000001' });
    const sealed = seal(chatOf(loneModel), await lockNode(gateway, loneModel, { apiKey }));
    expect(await sendSealed(gateway, sealed, { apiKey })).toMatchObject({ status: 402 });
    const amount = (await balance()).available;
    await gateway.storage.accounts.credit({ accountId, amount, reference: 'more' });
    openWhole(await sendSealed(gateway, sealed, { apiKey }), sealed);
  });

  it('waits while a purchase is under way', async () => {
    const owner = gateway.devnet.atomaNode('lone').stacks()[0]?.owner ?? '';
    const sealed = seal(chatOf(loneModel), await lockNode(gateway, loneModel));
    const keeper = await beginPurchase(owner);
    const answer = await expectRefusal(
      () => sendSealed(gateway, sealed),
      503,
      'gateway_unavailable',
    );
    expect(answer.headers['retry-after']).toBe('1');
    await keeper.end();
    openWhole(await sendSealed(gateway, sealed), sealed);
  });
});

/** A purchase for that stack owner, as its keeper keeps it before it sends anything. */
async function beginPurchase(stackOwner: string) {
  const address = suiAddress(`0x${'7'.repeat(64)}`);
  const store = gateway.storage.treasury({ chainId: 'test', address });
  const lease = await store.acquire(60_000);
  if (!lease) throw new Error('somebody else keeps');
  await store.announce(suiAddress(stackOwner));
  const sent = {
    ...{ digest: 'd', bytes: Uint8Array.of(1), signatures: [], inputs: [] },
    ...{ lastEpoch: 1n, builtAtHeight: 1n },
  };
  const operation = { kind: 'collecting', id: 'one', startedMs: Date.now(), sent } as const;
  await store.commit(lease, { revision: 0, operation, ended: undefined });
  return {
    end: () => store.commit(lease, { revision: 1, operation: undefined, ended: undefined }),
  };
}

describe('a locked node', () => {
  it.each([500, 503, 429, 401, 423])(
    'that answers %i ends the lock, and no other is asked',
    async (status) => {
      const ids = ['atoma-a', 'atoma-b'];
      for (const id of ids) gateway.devnet.node(id).setFault({ kind: 'status', status });
      const sealed = seal(chatOf(chatModel), await lockNode(gateway, chatModel));
      const before = { balance: await balance(), seen: seen() };
      const answer = await sendSealed(gateway, sealed);
      expect(answer.status).toBe(424);
      expect(errorIn(answer)).toMatchObject({ code: 'locked_node_failed' });
      expect(seen()).toBe(before.seen + 1);
      await untilSettled(gateway, gateway.accountId);
      expect(await balance()).toEqual(before.balance);
      for (const id of ids) gateway.devnet.node(id).clearFault();
      expect(await sendSealed(gateway, sealed)).toMatchObject({ status: 409 });
    },
  );

  it('that breaks the connection is not asked again', async () => {
    gateway.devnet.node('lone').setFault({ kind: 'refuse' });
    const sealed = seal(chatOf(loneModel), await lockNode(gateway, loneModel));
    const before = seen();
    const answer = await sendSealed(gateway, sealed);
    expect(answer.status).toBe(424);
    expect(errorIn(answer)).toMatchObject({ code: 'locked_node_failed' });
    expect(seen()).toBe(before + 1);
  });

  it('that signs with another key is not believed', async () => {
    gateway.devnet.node('lone').setFault({ kind: 'bad-signature' });
    const sealed = seal(chatOf(loneModel), await lockNode(gateway, loneModel));
    expect(await sendSealed(gateway, sealed)).toMatchObject({ status: 424 });
  });

  it('that stops mid-stream is seen to', async () => {
    gateway.devnet.node('lone').setFault({ kind: 'end-mid-stream', afterEvents: 3 });
    const body = chatOf(loneModel, { stream: true });
    const sealed = seal(body, await lockNode(gateway, loneModel));
    const answer = await sendSealed(gateway, sealed);
    expect(answer.text).toContain('"error"');
    expect(answer.text).not.toContain('[DONE]');
  });

  it('that is gone has no other node asked', async () => {
    const lock = await lockNode(gateway, loneModel);
    await gateway.devnet.node('lone').close();
    const before = seen();
    const sealed = seal(chatOf(loneModel), lock);
    const answer = await sendSealed(gateway, sealed);
    expect(answer.status).toBe(424);
    expect(errorIn(answer)).toMatchObject({ code: 'locked_node_failed' });
    expect(seen()).toBe(before);
    expect(await sendSealed(gateway, sealed)).toMatchObject({ status: 409 });
    // Once more at the same address, and nowhere else.
    const { host, port } = gateway.gateway.envoyAdmin;
    const stats = await (await fetch(`http://${host}:${port}/stats?filter=pinned`)).text();
    expect(stats).toMatch(/vault\/lone\.upstream_cx_connect_fail: 2$/m);
  });
});
