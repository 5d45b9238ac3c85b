import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReceivedRequest } from '../../devnet/records.ts';
import { costOf } from '../../domain/price.ts';
import { readStat } from '../../envoy/admin.ts';
import type { UsageLine } from '../../storage/usage-list.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { type Outcome, startLoad } from './steady-load.ts';
import { usageOf } from './usage.ts';

const restartDelayMs = 2000;
/** Longer than any process is away, so that what is served is also paid; far shorter than in real life. */
const leaseMs = 6000;
/** ext-proc sweeps at least this often. */
const sweepMsMax = 7500;
/** Start of a process and Envoy's next look at it, on a busy machine. */
const startMsMax = 10_000;
/** Envoy tries again each second at least. */
const reconnectMsMax = 5000;
const slackMs = 2000;
const callers = 4;
const tokensMax = 40;
const model = 'acme/mixed-1';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    restartDelayMs,
    models: [
      {
        id: model,
        endpoints: ['chat'],
        context_tokens: 8192,
        output_tokens_max: 512,
        media_tokens_max: 0,
        owned_by: 'acme',
        created: 1_735_689_600,
        price: { input: '0.5', cached_input: '0.25', output: '1.5' },
      },
    ],
    nodes: [
      { id: 'atoma', protocol: 'atoma', models: [model], pace: { tokensPerSecond: 100 } },
      { id: 'plain', protocol: 'openai', models: [model], pace: { tokensPerSecond: 100 } },
    ],
    env: {
      ATOMA_LEASE_MS: String(leaseMs),
    },
  });
});
afterAll(() => gateway?.close());

const nodeRecords = (): ReadonlyMap<string, readonly ReceivedRequest[]> =>
  Map.groupBy(
    gateway.devnet.nodes.flatMap((node) => node.received),
    ({ requestId }) => requestId,
  );

/** Kills a process amid load, waits until all is as before, and tells what the callers met and paid. */
async function killUnderLoad(name: string) {
  const { accountId, apiKey } = await gateway.openAccount({ usd: '1' });
  const load = startLoad({ baseUrl: gateway.baseUrl, apiKey }, { model, callers, tokensMax });
  await load.untilServed(6, 20_000);
  // Away from the moment at which a request has just ended.
  await delay(100);

  const victim = gateway.gateway.process(name);
  const pid = victim.pid();
  victim.kill('SIGKILL');
  const killedMs = Date.now();
  await until(() => victim.pid() !== pid, restartDelayMs + startMsMax);
  await load.untilServed(6, startMsMax);
  const outcomes = await load.stop();

  await until(() =>
    gateway.storage.ping().then(
      () => true,
      () => false,
    ),
  );
  await untilSettled(gateway, accountId, leaseMs + sweepMsMax + slackMs);
  const lines = await usageOf(gateway, accountId);
  return {
    accountId,
    killedMs,
    outcomes,
    lines,
    /** Requests amid their answer at the kill. */
    open: outcomes.filter(
      ({ startedMs, endedMs }) => startedMs < killedMs - 100 && endedMs > killedMs,
    ),
    failed: outcomes.filter(({ kind }) => kind !== 'whole'),
    unpaid: unpaidOf(outcomes, lines),
  };
}

type Killed = Awaited<ReturnType<typeof killUnderLoad>>;

/** Complete answers that nobody was charged for. */
function unpaidOf(outcomes: readonly Outcome[], lines: readonly UsageLine[]): readonly Outcome[] {
  const paid = new Set(
    lines.flatMap(({ charged, record }) => (charged > 0n ? [record.requestId] : [])),
  );
  return outcomes.filter(({ kind, requestId }) => kind === 'whole' && !paid.has(requestId));
}

/** What holds whatever died: failures show, no request is charged twice, and nothing beyond what nodes delivered. */
async function expectExactMoney(killed: Killed): Promise<void> {
  const { accountId, outcomes, lines, failed, open } = killed;
  expect(open.length).toBeGreaterThan(0);
  expect(failed.filter(({ kind }) => kind === 'hidden')).toEqual([]);
  expect(outcomes.length - failed.length).toBeGreaterThan(20);

  const ids = lines.map(({ record }) => record.requestId);
  expect(new Set(ids).size).toBe(ids.length);
  const { models } = await gateway.storage.catalogue.read();
  const price = models.find(({ id }) => id === model)?.price;
  if (!price) throw new Error('the model has no price');
  const records = nodeRecords();
  for (const { charged, record } of lines) {
    const atNodes = records.get(record.requestId) ?? [];
    const sent = Math.max(0, ...atNodes.map(({ tokensSent }) => tokensSent));
    expect(record.usage.outputTokens).toBeLessThanOrEqual(sent);
    expect(charged).toBe(costOf(price, record.usage));
    if (record.ending !== 'completed') continue;
    const told = atNodes.map(({ usage }) => usage).filter((usage) => usage !== undefined);
    expect(told).toContainEqual(record.usage);
  }
  const refused = new Set(failed.filter(({ status }) => status >= 400).map((one) => one.requestId));
  const chargedRefusals = lines.filter(
    ({ charged, record }) => charged > 0n && refused.has(record.requestId),
  );
  expect(chargedRefusals).toEqual([]);

  const balance = await gateway.storage.ledger.balance(accountId);
  expect(balance.settled).toBe(lines.reduce((sum, { charged }) => sum + charged, 0n));
  expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
}

const unavailable = ({ status, text }: Outcome) =>
  status === 503 && text.includes('"code":"gateway_unavailable"');

describe('under load, a kill of', () => {
  it('the control plane fails no request', async () => {
    const killed = await killUnderLoad('control-plane');
    expect(killed.failed).toEqual([]);
    expect(killed.unpaid).toEqual([]);
    await expectExactMoney(killed);
    const { envoyAdmin } = gateway.gateway;
    const isConnected = async () =>
      (await readStat(envoyAdmin, 'control_plane.connected_state')) === 1;
    await until(isConnected, reconnectMsMax);
  });

  it('ext-authz is 503 for new requests, and nothing for those that it had admitted', async () => {
    const killed = await killUnderLoad('ext-authz-1');
    expect(killed.failed.length).toBeGreaterThan(0);
    expect(killed.failed.filter((one) => !unavailable(one))).toEqual([]);
    expect(killed.open.filter(({ kind }) => kind !== 'whole')).toEqual([]);
    expect(killed.unpaid).toEqual([]);
    await expectExactMoney(killed);
  });

  it('ext-proc is 503 for new requests, breaks open ones, and loses at most their charges', async () => {
    const killed = await killUnderLoad('ext-proc-1');
    const shown = killed.failed.filter((one) => !unavailable(one));
    expect(killed.failed.length).toBeGreaterThan(shown.length);
    expect(shown.length).toBeLessThanOrEqual(callers);
    expect(killed.unpaid.length).toBeLessThanOrEqual(callers);
    await expectExactMoney(killed);
    expect(killed.lines.some(({ record }) => record.ending === 'expired')).toBe(true);
    // No node works for what cannot be answered; only what was open at the kill had reached one.
    const records = nodeRecords();
    const worked = killed.failed.filter(({ requestId }) => records.has(requestId));
    expect(worked.length).toBeLessThanOrEqual(callers);
  });

  it('Redis is 503 for new requests, and loses no more than its last moments', async () => {
    const killed = await killUnderLoad('redis');
    expect(killed.failed.length).toBeGreaterThan(0);
    expect(killed.failed.filter((one) => !unavailable(one))).toEqual([]);
    expect(killed.open.filter(({ kind }) => kind !== 'whole')).toEqual([]);
    // While a flush to a slow disk is running, Redis answers before it writes, for two seconds at most.
    const lostMs = 2500;
    const { unpaid, killedMs } = killed;
    expect(unpaid.filter(({ endedMs }) => endedMs < killedMs - lostMs)).toEqual([]);
    expect(unpaid.filter(({ startedMs }) => startedMs > killedMs)).toEqual([]);
    await expectExactMoney(killed);
  });

  it('Envoy breaks what is open, and every reservation ends all the same', async () => {
    const killed = await killUnderLoad('envoy');
    expect(killed.open.map(({ kind }) => kind)).toContain('failed');
    expect(killed.unpaid).toEqual([]);
    await expectExactMoney(killed);
  });
});
