/** Stacks on the chain, through Envoy and the real processes: bought, used up, claimed, over-claimed, and all added up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChainGateway, model, nodeIds, startChainGateway } from './chain-gateway.ts';
import { sendChat } from './chat-request.ts';
import { until, untilSettled } from './gateway.ts';
import { startLoad } from './steady-load.ts';

const patienceMs = 20_000;
const rotationsMs = 90_000;
const rotations = 4;

let own: ChainGateway;
beforeAll(async () => {
  own = await startChainGateway({ stackUnits: 40_000, tokensPerSecond: 1000 });
});
afterAll(() => own?.close());

const ask = (tokens: number) =>
  sendChat(own.gateway, {
    model,
    max_tokens: tokens,
    messages: [{ role: 'user', content: 'Hi' }],
  }).answer;
const claims = () => nodeIds.flatMap((id) => own.devnet.life(id).claims());
const settled = () => untilSettled(own.gateway, own.gateway.accountId);

describe('stacks', () => {
  it('are bought of nodes that have told where they are, and requests are served on them', async () => {
    await until(async () => (await ask(4)).status === 200, patienceMs);
    expect(await own.stacksBought()).toBeGreaterThanOrEqual(1);
    const { stacks } = await own.gateway.storage.unitPool.state(model);
    const rows = (await own.records.load())?.state.stacks;
    expect(stacks.filter(({ live }) => live).every(({ id }) => rows?.has(id))).toBe(true);
  });

  it('follow one another while they are used up, no request fails, and honest claims are no more than the use', async () => {
    const before = await own.stacksBought();
    for (const id of nodeIds) own.devnet.node(id).setPace({ replyTokens: 400 });
    const load = startLoad(own.gateway, { model, callers: 6, tokensMax: 400 });
    await until(async () => (await own.stacksBought()) >= before + rotations, rotationsMs);
    const outcomes = await load.stop();
    expect(outcomes.filter(({ kind }) => kind !== 'whole')).toEqual([]);
    await settled();
    for (const id of nodeIds) await own.devnet.life(id).claimAll();
    await until(() => claims().length >= rotations, patienceMs);
    const { stacks } = await own.gateway.storage.unitPool.state(model);
    const used = new Map(stacks.map((stack) => [stack.id, stack.used]));
    for (const { stackId, unitsClaimed } of claims()) {
      expect(unitsClaimed).toBeLessThanOrEqual(used.get(stackId) ?? 0);
    }
    expect(await own.controlPlaneLog()).not.toContain('a node took more than we used');
    expect(await own.gateway.storage.audit()).toMatchObject({ ok: true });
  });

  it('of a node that claims more than we used are told, and it gets less', async () => {
    for (const id of nodeIds) own.devnet.node(id).setPace({ replyTokens: 40 });
    const ada = own.devnet.life('ada');
    const isWorthIt = () =>
      ada.node.stacks().some(({ isLocked, usedUnits }) => !isLocked && usedUnits > 1000);
    await until(async () => (await ask(40)).status === 200 && isWorthIt(), patienceMs);
    await settled();
    ada.setClaims({ overPercent: 100 });
    await ada.claimAll();
    await until(
      async () => (await own.controlPlaneLog()).includes('a node took more than we used'),
      patienceMs,
    );
    expect(await own.controlPlaneLog()).toContain(`"node":"${ada.nodeId}"`);
    const state = (await own.records.load())?.state;
    const told = new Set([...(state?.claims.values() ?? [])].map(({ nodeId }) => nodeId));
    expect(told.has(ada.nodeId)).toBe(true);
    // The other node serves on.
    await until(async () => (await ask(4)).status === 200, patienceMs);
  });

  it('are served on while the full node is away, and the log tells of it', async () => {
    const load = startLoad(own.gateway, { model, callers: 2, tokensMax: 8 });
    await own.chain.fullNode.restart(6000);
    const says = (text: string) => async () => (await own.controlPlaneLog()).includes(text);
    await until(says('do not answer'), patienceMs);
    await until(says('answers again'), patienceMs);
    const outcomes = await load.stop();
    expect(outcomes.length).toBeGreaterThan(20);
    expect(outcomes.filter(({ kind }) => kind !== 'whole')).toEqual([]);
  });

  it('are all that the treasury has paid for, to the last coin', async () => {
    await own.gateway.gateway.process('control-plane').stop();
    const { ended, operation } = await own.kept();
    const { state } = (await own.records.load()) ?? {};
    const refunds = [...(state?.claims.values() ?? [])].reduce((sum, one) => sum + one.refund, 0n);
    // What is left of claimed stacks comes back to the stack owner, and is collected.
    const books = own.books(refunds);
    expect(books.unaccounted).toEqual({ usdc: 0n, mist: 0n });
    const cost = ended.reduce((sum, one) => sum + (one.kind === 'bought' ? one.paid : 0n), 0n);
    if (operation === undefined) expect(books.paid).toBe(cost);
    const bought = new Set(ended.flatMap((one) => (one.kind === 'bought' ? [one.stackId] : [])));
    for (const { stackId } of state?.stacks.values() ?? []) expect(bought.has(stackId)).toBe(true);
  });
});
