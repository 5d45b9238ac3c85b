import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSmallId, taskSmallId } from '../../domain/chain-ids.ts';
import { defaultSamplingRates, microUsdc } from '../costs.ts';
import { chooseDraw } from './draw.ts';
import {
  hourMs,
  type KeeperSettings,
  type PlanInput,
  planPurchases,
  runwayTarget,
  type TaskNeed,
  unitsLeft,
  usableUnits,
} from './plan.ts';

const nowMs = 100 * hourMs;
const amount = (max: bigint) => fc.bigInt(0n, max);
const ask = fc.record({
  nodeId: amount(50n).map(nodeSmallId),
  pricePerMillion: amount(4000n),
  unitsMax: fc.constantFrom(1_000_000n, 500_000n),
  isAcceptable: fc.boolean(),
});
const stack = fc.record({ units: amount(2_000_000n), used: amount(2_000_000n) });
const task = fc.record({
  securityLevel: fc.constantFrom(0, 1, 1, 1, 2),
  isDeprecated: fc.constantFrom(false, false, false, true),
  unitsPerHour: amount(3_000_000n),
  stacks: fc.array(stack, { maxLength: 4 }),
  asks: fc.array(ask, { maxLength: 8 }),
});
const tasks = fc
  .array(task, { maxLength: 5 })
  .map((all) => all.map((each, index) => ({ ...each, taskId: taskSmallId(BigInt(index + 1)) })));
const settings: fc.Arbitrary<KeeperSettings> = fc.record({
  runwayHours: amount(6n),
  runwayUnitsMin: amount(2_000_000n),
  unitsPerStack: fc.bigInt(1000n, 1_000_000n),
  budgetPerHour: amount(20_000n),
  budgetPerDay: amount(40_000n),
  priceCapPerMillion: amount(4000n),
  acceptablePercentMin: amount(100n),
  ordersMax: fc.nat(20),
});
const startedMs = fc.integer({ min: nowMs - 30 * hourMs, max: nowMs });
const input: fc.Arbitrary<PlanInput> = fc.record({
  nowMs: fc.constant(nowMs),
  settings,
  rates: fc.constant(defaultSamplingRates),
  tasks,
  spent: fc.array(fc.record({ startedMs, amount: amount(9000n).map(microUsdc) }), { maxLength: 6 }),
  pauses: fc.array(
    fc.record({
      taskId: fc.option(amount(9n).map(taskSmallId), { nil: undefined }),
      untilMs: fc.integer({ min: nowMs - hourMs, max: nowMs + hourMs }),
    }),
    { maxLength: 2 },
  ),
  open: fc.array(
    fc.record({
      taskId: fc.bigInt(1n, 5n).map(taskSmallId),
      units: fc.constant(1_000_000n),
      pricePerMillion: fc.constant(1000n),
      cost: fc.constant(microUsdc(1000n)),
      startedMs,
    }),
    { maxLength: 2 },
  ),
});

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, each) => total + each, 0n);

/** What a task has left once all orders have landed. */
function leftAfter({ stacks, taskId }: TaskNeed, { open }: PlanInput, orders: PlanInput['open']) {
  const coming = [...open, ...orders].filter((order) => order.taskId === taskId);
  return unitsLeft(stacks) + sum(coming.map(({ units }) => usableUnits(units)));
}

const ordersOf = (given: PlanInput) =>
  planPurchases(given).orders.map((order) => ({ ...order, startedMs: nowMs }));

describe('a plan', () => {
  it('spends no more than is left of the hour and of the day', () => {
    fc.assert(
      fc.property(input, (given) => {
        const cost = sum(ordersOf(given).map((order) => order.cost));
        const { budgetPerHour, budgetPerDay } = given.settings;
        const spentSince = (ms: number) =>
          sum([
            ...given.spent.filter((each) => each.startedMs > nowMs - ms).map((each) => each.amount),
            ...given.open.filter((each) => each.startedMs > nowMs - ms).map((each) => each.cost),
          ]);
        if (cost === 0n) return;
        expect(cost + spentSince(hourMs)).toBeLessThanOrEqual(budgetPerHour);
        expect(cost + spentSince(24 * hourMs)).toBeLessThanOrEqual(budgetPerDay);
      }),
    );
  });

  it('pays no price above the cap, and buys nothing that is deprecated, sampled or paused', () => {
    fc.assert(
      fc.property(input, (given) => {
        const wanted = new Map(given.tasks.map((each) => [each.taskId, each]));
        for (const { taskId, pricePerMillion } of ordersOf(given)) {
          expect(pricePerMillion).toBeLessThanOrEqual(given.settings.priceCapPerMillion);
          expect(wanted.get(taskId)).toMatchObject({ isDeprecated: false });
          expect(wanted.get(taskId)?.securityLevel).not.toBe(2);
          const isPaused = given.pauses.some(
            (pause) => pause.untilMs > nowMs && [undefined, taskId].includes(pause.taskId),
          );
          expect(isPaused).toBe(false);
        }
      }),
    );
  });

  it('orders no stack that the runway does not need, also beside open purchases', () => {
    fc.assert(
      fc.property(input, (given) => {
        const orders = ordersOf(given);
        for (const each of given.tasks) {
          const own = orders.filter(({ taskId }) => taskId === each.taskId);
          const withoutLast = leftAfter(each, given, own.slice(0, -1));
          if (own.length > 0) {
            expect(withoutLast).toBeLessThan(runwayTarget(each, given.settings));
          }
        }
      }),
    );
  });

  it('restores each runway, or tells what hinders it', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { orders, unmet } = planPurchases(given);
        if (orders.length === given.settings.ordersMax) return;
        const begun = orders.map((order) => ({ ...order, startedMs: nowMs }));
        const short = given.tasks
          .filter((each) => leftAfter(each, given, begun) < runwayTarget(each, given.settings))
          .map(({ taskId }) => taskId);
        expect(new Set(unmet.map(({ taskId }) => taskId))).toEqual(new Set(short));
      }),
    );
  });

  it('is the same for the same input, and empty once its orders are open', () => {
    fc.assert(
      fc.property(input, (given) => {
        const orders = ordersOf(given);
        expect(ordersOf(given)).toEqual(orders);
        fc.pre(orders.length < given.settings.ordersMax);
        const open = [...given.open, ...orders];
        expect(ordersOf({ ...given, open })).toEqual([]);
      }),
    );
  });
});

describe('the price', () => {
  const asks = (...given: readonly (readonly [price: bigint, isAcceptable: boolean])[]) =>
    given.map(([pricePerMillion, isAcceptable], index) => ({
      nodeId: nodeSmallId(BigInt(index)),
      pricePerMillion,
      unitsMax: 1_000_000n,
      isAcceptable,
    }));
  const rules = { units: 1000n, priceCapPerMillion: 100n, acceptablePercentMin: 50n };

  it('is the lowest that is asked where all nodes would do', () => {
    const draw = chooseDraw(asks([30n, true], [10n, true], [20n, true]), rules);
    expect(draw).toEqual({ kind: 'price', pricePerMillion: 10n });
  });

  it('rises where the cheap nodes could not be used', () => {
    const draw = chooseDraw(asks([10n, false], [11n, true], [12n, true], [13n, true]), rules);
    expect(draw).toEqual({ kind: 'price', pricePerMillion: 13n });
  });

  it('is none where the draw would be bad, nobody fits, or all are too dear', () => {
    expect(chooseDraw(asks([1n, false], [1n, false], [2n, true]), rules).kind).toBe('no-node');
    expect(chooseDraw(asks([0n, true]), rules).kind).toBe('no-node');
    expect(chooseDraw(asks([101n, true]), rules).kind).toBe('price-above-cap');
  });
});
