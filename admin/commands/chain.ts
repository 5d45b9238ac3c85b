/** `chain status` and `chain nodes`: what is known of the chain, and why a node gets no requests. */
import type { Command } from 'commander';
import { z } from 'zod';
import type { Alarm, Progress } from '../../chain/indexer/state.ts';
import { parseSuiAddress } from '../../domain/chain-ids.ts';
import type { ChainRecords } from '../../storage/chain-store.ts';
import { answer, type CommandContext, type Output, usageError } from '../command.ts';

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
  const json: unknown = JSON.parse((await records.standings()) ?? '[]');
  const value = z.array(standing).parse(json);
  const rows = value.map(({ models, reason, ...rest }) => ({
    ...rest,
    models: models.join(', '),
    state: reason === '' ? 'routable' : reason,
  }));
  answer(context, options, { value, rows, ...(rows.length > 0 ? {} : { note: 'no nodes' }) });
}

async function recordsOf(context: CommandContext): Promise<ChainRecords> {
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
