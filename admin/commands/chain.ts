/** `chain`: what is known of the network on Sui, why a node gets no requests, our stacks there, and who has paid. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { Alarm, Progress } from '../../chain/indexer/state.ts';
import { overClaimOf } from '../../chain/keeper/claims.ts';
import { nodeNameOf, parseSuiAddress } from '../../domain/chain-ids.ts';
import { formatMicroUsdc } from '../../domain/deposit.ts';
import type { ChainRecords } from '../../storage/chain-store.ts';
import {
  answer,
  type CommandContext,
  CommandError,
  type Output,
  timeText,
  usageError,
} from '../command.ts';

const standing = z.object({
  node: z.string(),
  models: z.array(z.string()),
  address: z.string(),
  owner: z.string(),
  reason: z.string(),
});

export function addChainCommands(program: Command, context: CommandContext): void {
  const chain = program.command('chain').description('what is known of the Atoma network on Sui');
  chain
    .command('status')
    .description('how far the chain has been read, and its alarms')
    .option('--json', 'print JSON')
    .action(async (options: Output) => showStatus(context, options));
  chain
    .command('nodes')
    .description('the nodes of the contract, and why one gets no requests')
    .option('--json', 'print JSON')
    .action(async (options: Output) => showNodes(context, options));
  chain
    .command('stacks')
    .description('the stacks that were bought, what was used of them, and what nodes claimed')
    .option('--json', 'print JSON')
    .action(async (options: Output) => showStacks(context, options));
  chain
    .command('deposits')
    .description('what was sent to the gateway, and whose it is')
    .option('--json', 'print JSON')
    .action(async (options: Output) => showDeposits(context, options));
}

async function showStatus(context: CommandContext, options: Output): Promise<void> {
  const records = await recordsOf(context);
  const stored = await records.load();
  const alarms = (await records.alarms()).map(toAlarmView);
  const sizeOf = (rows: ReadonlyMap<string, unknown> | undefined) => rows?.size ?? 0;
  const value = {
    state: stored?.progress.status.kind ?? 'starting',
    detail: stored ? detailOf(stored.progress) : '',
    checkpoint: stored ? String(stored.progress.covered) : '',
    nodes: sizeOf(stored?.state.nodes),
    tasks: sizeOf(stored?.state.tasks),
    subscriptions: sizeOf(stored?.state.subscriptions),
    stacks: sizeOf(stored?.state.stacks),
    claims: sizeOf(stored?.state.claims),
    alarms,
  };
  const { alarms: _alarms, ...counts } = value;
  const row = Object.fromEntries(Object.entries(counts).map(([name, one]) => [name, String(one)]));
  const lines = alarms.map(({ kind, text }) => `${kind}: ${text}`);
  const note = lines.length > 0 ? lines.join('\n') : 'no alarms';
  answer(context, options, { value, rows: [row], note });
}

async function showNodes(context: CommandContext, options: Output): Promise<void> {
  const records = await recordsOf(context);
  const json: unknown = JSON.parse((await records.report('nodes')) ?? '[]');
  const value = z.array(standing).parse(json);
  const rows = value.map(({ models, reason, ...rest }) => ({
    ...rest,
    models: models.join(', '),
    state: reason === '' ? 'routable' : reason,
  }));
  answer(context, options, { value, rows, ...(rows.length > 0 ? {} : { note: 'no nodes' }) });
}

async function showStacks(context: CommandContext, options: Output): Promise<void> {
  const state = (await (await recordsOf(context)).load())?.state;
  if (!state) throw new CommandError('The chain has not been read yet.');
  const { unitPool } = await context.storage();
  const models = new Map(
    [...state.tasks.values()].map(({ taskId, model = '' }) => [taskId, model]),
  );
  const used = new Map<string, number>();
  for (const model of new Set(models.values())) {
    for (const stack of (await unitPool.state(model)).stacks) used.set(stack.id, stack.used);
  }
  const value = [...state.stacks.values()].map(({ stackId, nodeId, taskId, units, ...stack }) => {
    const claim = state.claims.get(String(stackId));
    const own = BigInt(used.get(String(stackId)) ?? 0);
    return {
      stack: String(stackId),
      node: nodeNameOf(nodeId),
      model: models.get(taskId) ?? '',
      units: String(units),
      used: String(own),
      price_usd: formatMicroUsdc(stack.pricePerMillion),
      state: stack.standing,
      claimed: claim ? String(claim.unitsClaimed) : '',
      over_claimed: String(claim ? overClaimOf(claim.unitsClaimed, own) : 0n),
    };
  });
  const rows = value.toSorted((left, right) => Number(BigInt(left.stack) - BigInt(right.stack)));
  answer(context, options, {
    value: rows,
    rows,
    ...(rows.length > 0 ? {} : { note: 'no stacks' }),
  });
}

async function showDeposits(context: CommandContext, options: Output): Promise<void> {
  const books = await (await context.storage()).depositBooks();
  const newestFirst = books
    .flatMap(({ deposits }) => deposits)
    .toSorted((left, right) => right.deposit.timeMs - left.deposit.timeMs);
  const value = newestFirst.map(({ deposit, accountId, state }) => ({
    time: timeText(deposit.timeMs),
    digest: deposit.digest,
    from: deposit.payer ?? '',
    usd: formatMicroUsdc(deposit.amount),
    state,
    account: accountId ?? '',
  }));
  answer(context, options, {
    value,
    rows: value,
    ...(value.length > 0 ? {} : { note: 'no deposits' }),
  });
}

export async function recordsOf(context: CommandContext): Promise<ChainRecords> {
  const databaseId = parseSuiAddress(context.suiDatabase() ?? '');
  if (!databaseId) throw usageError('Set ATOMA_SUI_DATABASE to the id of the contract’s database.');
  return (await context.storage()).chain(databaseId);
}

function detailOf({ status }: Progress): string {
  switch (status.kind) {
    case 'following':
      return '';
    case 'pruned':
      return `needs checkpoint ${status.start}, the node begins at ${status.lowest}`;
    case 'halted':
      return status.reason;
  }
}

function toAlarmView(alarm: Alarm): { readonly kind: string; readonly text: string } {
  const { kind } = alarm;
  switch (alarm.kind) {
    case 'poison':
      return { kind, text: `${alarm.type} in ${alarm.transactionDigest}: ${alarm.reason}` };
    case 'gap':
      return { kind, text: `${alarm.of} ids ${alarm.from} to ${alarm.to} never came` };
    case 'jump':
      return { kind, text: `checkpoints ${alarm.from} to ${alarm.to} were skipped` };
    case 'upgrade':
      return { kind, text: `version ${alarm.version} is ${alarm.packageId}` };
  }
}
