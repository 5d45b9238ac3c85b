/** How the treasury stands, for operators: as JSON in the storage, and as gauges. */
import type { Step } from '../../chain/keeper/keeper.ts';
import type { EndedOperation, Operation } from '../../chain/keeper/operation.ts';
import {
  type KeeperSettings,
  runwayTarget,
  type TaskNeed,
  unitsLeft,
} from '../../chain/keeper/plan.ts';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { createTreasuryMetrics } from '../../runtime/metrics.ts';

export type TreasuryView = {
  readonly atMs: number;
  readonly treasury: SuiAddress;
  readonly stackOwner: SuiAddress;
  /** In millionths of a USDC, and in MIST. */
  readonly balances: { readonly usdc: bigint; readonly mist: bigint };
  readonly step: Exclude<Step, { kind: 'worked' | 'fenced' }>;
  readonly operation: Operation | undefined;
  /** Of the last day. */
  readonly ended: readonly EndedOperation[];
  readonly needs: readonly TaskNeed[];
  readonly settings: KeeperSettings;
};

/** JSON with large numbers as text. */
export function toReport(view: TreasuryView): string {
  const { atMs, treasury, stackOwner, balances, step, operation, needs, settings } = view;
  const unmet = step.kind === 'idle' ? step.unmet : [];
  const obstacles = new Map(unmet.map(({ taskId, obstacle }) => [taskId, obstacle]));
  return JSON.stringify({
    at: new Date(atMs).toISOString(),
    treasury,
    stack_owner: stackOwner,
    usdc_micro: String(balances.usdc),
    mist: String(balances.mist),
    state: stateOf(step),
    operation: operation?.kind ?? '',
    spent_day_micro: String(spentOn(view.ended)),
    budget_day_micro: String(settings.budgetPerDay),
    budget_hour_micro: String(settings.budgetPerHour),
    tasks: needs.map((need) => ({
      task: String(need.taskId),
      units_left: String(unitsLeft(need.stacks)),
      units_wanted: String(runwayTarget(need, settings)),
      units_per_hour: String(need.unitsPerHour),
      obstacle: obstacles.get(need.taskId) ?? '',
    })),
  });
}

/** Sets the gauges; a balance that cannot be read keeps its last value. */
export function showTreasury(
  metrics: ReturnType<typeof createTreasuryMetrics>,
  { balances, step, ended }: TreasuryView,
): void {
  metrics.usdc.set(Number(balances.usdc));
  metrics.mist.set(Number(balances.mist));
  metrics.spentDay.set(Number(spentOn(ended)));
  metrics.isLow.set(Number(step.kind === 'treasury-low'));
  metrics.unmet.reset();
  if (step.kind !== 'idle') return;
  for (const { obstacle } of step.unmet) metrics.unmet.inc({ obstacle });
}

function stateOf(step: TreasuryView['step']): string {
  switch (step.kind) {
    case 'idle':
      return step.unmet.length > 0 ? 'short' : 'well';
    case 'in-doubt':
      return `a transaction may still land (${step.operation})`;
    case 'treasury-low':
      return `the treasury lacks ${step.coinType}`;
  }
}

const spentOn = (ended: readonly EndedOperation[]): bigint =>
  ended.reduce((sum, one) => sum + (one.kind === 'bought' ? one.paid : 0n), 0n);
