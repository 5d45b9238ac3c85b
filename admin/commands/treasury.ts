/** `treasury status`: the gateway's money on the chain, and how long the stacks that it buys will last. */
import type { Command } from 'commander';
import { z } from 'zod';
import { formatMicroUsdc } from '../../domain/deposit.ts';
import { answer, type CommandContext, CommandError, type Output } from '../command.ts';
import { recordsOf } from './chain.ts';

const amount = z.string().regex(/^\d+$/).transform(BigInt);

/** As the control plane that buys writes it. */
const report = z.object({
  at: z.string(),
  treasury: z.string(),
  stack_owner: z.string(),
  usdc_micro: amount,
  mist: z.string(),
  state: z.string(),
  operation: z.string(),
  spent_day_micro: amount,
  budget_hour_micro: amount,
  budget_day_micro: amount,
  tasks: z.array(
    z.object({
      task: z.string(),
      units_left: z.string(),
      units_wanted: z.string(),
      units_per_hour: z.string(),
      obstacle: z.string(),
    }),
  ),
});

export function addTreasuryStatus(treasury: Command, context: CommandContext): void {
  treasury
    .command('status', { isDefault: true })
    .description('what the treasury has, what it spends, and how long the stacks last')
    .option('--json', 'print JSON')
    .action(async (options: Output) => showTreasury(context, options));
}

async function showTreasury(context: CommandContext, options: Output): Promise<void> {
  const records = await recordsOf(context);
  const json = await records.report('treasury');
  if (json === undefined) {
    throw new CommandError('No control plane buys stacks: none has said how the treasury stands.');
  }
  const { tasks: bare, ...stands } = report.parse(JSON.parse(json));
  const known = (await records.load())?.state.tasks;
  const tasks = bare.map((task) => ({ model: known?.get(task.task)?.model ?? '', ...task }));
  const { usdc_micro, spent_day_micro, budget_hour_micro, budget_day_micro, ...rest } = stands;
  const summary = {
    ...rest,
    usdc: formatMicroUsdc(usdc_micro),
    spent_day_usd: formatMicroUsdc(spent_day_micro),
    budget_hour_usd: formatMicroUsdc(budget_hour_micro),
    budget_day_usd: formatMicroUsdc(budget_day_micro),
  };
  const lines = Object.entries(summary).map(([name, value]) => `${name}: ${value}`);
  answer(context, options, {
    value: { ...summary, tasks },
    rows: tasks,
    note: lines.join('\n'),
  });
}
