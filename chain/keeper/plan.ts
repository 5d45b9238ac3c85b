/**
 * Which stacks are to be bought now: as many as each task's runway lacks, the neediest first, within budget and price cap.
 * Pure: the same input gives the same orders.
 */
import type { TaskSmallId } from '../../domain/chain-ids.ts';
import { type SamplingRates, securityLevels, stackCost } from '../costs.ts';
import { type Ask, chooseDraw } from './draw.ts';
import type { Spending, StackOrder } from './operation.ts';

export type KeeperSettings = {
  /** For so long a task's stacks should last at its present use. */
  readonly runwayHours: bigint;
  /** The least runway, so that a task without use can be called at all. */
  readonly runwayUnitsMin: bigint;
  readonly unitsPerStack: bigint;
  /** In micro-USDC, over any such time. */
  readonly budgetPerHour: bigint;
  readonly budgetPerDay: bigint;
  /** In micro-USDC per million units. */
  readonly priceCapPerMillion: bigint;
  readonly acceptablePercentMin: bigint;
  /** Orders of one plan at most. */
  readonly ordersMax: number;
};

/** A stack that requests can be sent with; `used` is our own count. */
export type LiveStack = { readonly units: bigint; readonly used: bigint };

export type TaskNeed = {
  readonly taskId: TaskSmallId;
  readonly securityLevel: number;
  readonly isDeprecated: boolean;
  readonly unitsPerHour: bigint;
  readonly stacks: readonly LiveStack[];
  readonly asks: readonly Ask[];
};

/** Until when nothing is bought: of one task, or of any where none is named. */
export type Pause = { readonly taskId: TaskSmallId | undefined; readonly untilMs: number };

export type PlanInput = {
  readonly nowMs: number;
  readonly settings: KeeperSettings;
  readonly rates: SamplingRates;
  readonly tasks: readonly TaskNeed[];
  readonly spent: readonly Spending[];
  readonly pauses: readonly Pause[];
  /** Under way: their units count as bought, and their cost as spent. */
  readonly open: readonly (StackOrder & { readonly startedMs: number })[];
};

/** Why a runway stays short. */
type Obstacle =
  | 'deprecated'
  /** Level 2: anybody can freeze its settlement for good. */
  | 'sampled'
  | 'paused'
  | 'no-node'
  | 'price-above-cap'
  /** The contract could not compute the cost. */
  | 'cost-overflow'
  | 'budget';

export type Plan = {
  readonly orders: readonly StackOrder[];
  readonly unmet: readonly { readonly taskId: TaskSmallId; readonly obstacle: Obstacle }[];
};

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** A node refuses a stack from here on, once it is idle (Atoma node protocol, lock before the claim). */
const usablePercent = 95n;
const percent = 100n;

type Need = { readonly taskId: TaskSmallId; left: bigint; readonly target: bigint };

/** The orders, neediest first, and what hinders the rest. */
export function planPurchases(input: PlanInput): Plan {
  const { settings } = input;
  const orders: StackOrder[] = [];
  const unmet: Plan['unmet'][number][] = [];
  const tasks = new Map(input.tasks.map((task) => [task.taskId, task]));
  const needs = new Map(input.tasks.map((task) => [task.taskId, needOf(task, input)]));
  let allowance = allowanceOf(input);
  while (orders.length < settings.ordersMax) {
    const need = neediest([...needs.values()]);
    const task = need && tasks.get(need.taskId);
    if (!(need && task)) break;
    const order = orderFor(task, { input, allowance });
    if (typeof order === 'string') {
      unmet.push({ taskId: need.taskId, obstacle: order });
      needs.delete(need.taskId);
    } else {
      orders.push(order);
      allowance -= order.cost;
      need.left += usableUnits(order.units);
    }
  }
  return { orders, unmet };
}

/** The units of a stack that can be used. */
export const usableUnits = (units: bigint): bigint => (units * usablePercent) / percent;

/** The units that a task should have left. */
export function runwayTarget(
  task: Pick<TaskNeed, 'unitsPerHour'>,
  settings: KeeperSettings,
): bigint {
  const units = task.unitsPerHour * settings.runwayHours;
  return units > settings.runwayUnitsMin ? units : settings.runwayUnitsMin;
}

/** The units that a task has left. */
export function unitsLeft(stacks: readonly LiveStack[]): bigint {
  return stacks.reduce((sum, { units, used }) => {
    const left = usableUnits(units) - used;
    return left > 0n ? sum + left : sum;
  }, 0n);
}

/** What may still be spent within the hour and within the day. */
function allowanceOf({ nowMs, settings, spent, open }: PlanInput): bigint {
  const all = [...spent, ...open.map(({ startedMs, cost }) => ({ startedMs, amount: cost }))];
  const since = (ms: number) =>
    all
      .filter(({ startedMs }) => startedMs > nowMs - ms)
      .reduce((sum, { amount }) => sum + amount, 0n);
  const hour = settings.budgetPerHour - since(hourMs);
  const day = settings.budgetPerDay - since(dayMs);
  return hour < day ? hour : day;
}

function needOf(task: TaskNeed, { settings, open }: PlanInput): Need {
  const ordered = open
    .filter(({ taskId }) => taskId === task.taskId)
    .map(({ units }) => ({ units, used: 0n }));
  return {
    taskId: task.taskId,
    left: unitsLeft([...task.stacks, ...ordered]),
    target: runwayTarget(task, settings),
  };
}

/** The need that is filled to the smallest part; of equal ones the task with the lower id. */
function neediest(needs: readonly Need[]): Need | undefined {
  return needs
    .filter(({ left, target }) => left < target)
    .reduce<Need | undefined>((worst, need) => {
      if (!worst) return need;
      const difference = need.left * worst.target - worst.left * need.target;
      if (difference === 0n) return need.taskId < worst.taskId ? need : worst;
      return difference < 0n ? need : worst;
    }, undefined);
}

function orderFor(
  task: TaskNeed,
  { input, allowance }: { input: PlanInput; allowance: bigint },
): StackOrder | Obstacle {
  const { settings, rates, pauses, nowMs } = input;
  const { taskId, securityLevel } = task;
  // The contract sells stacks of deprecated tasks without a word.
  if (task.isDeprecated) return 'deprecated';
  if (securityLevel === securityLevels.sampling) return 'sampled';
  const isPaused = pauses.some(
    (pause) =>
      pause.untilMs > nowMs && (pause.taskId === undefined || pause.taskId === task.taskId),
  );
  if (isPaused) return 'paused';
  const units = settings.unitsPerStack;
  const draw = chooseDraw(task.asks, { ...settings, units });
  if (draw.kind !== 'price') return draw.kind;
  const { pricePerMillion } = draw;
  const cost = stackCost({ pricePerMillion, securityLevel, rates, units });
  if (cost.kind === 'overflow') return 'cost-overflow';
  if (cost.amount > allowance) return 'budget';
  return { taskId, units, pricePerMillion, cost: cost.amount };
}
