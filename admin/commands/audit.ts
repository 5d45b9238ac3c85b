/** `audit`: every balance recomputed from the ledger's entries. */
import type { Command } from 'commander';
import { formatUsd } from '../../domain/money.ts';
import type { AuditReport } from '../../storage/audit.ts';
import { answer, type CommandContext, CommandError, type Output } from '../command.ts';

export function addAuditCommand(program: Command, context: CommandContext): void {
  program
    .command('audit')
    .description(
      'check deposits = available + reserved + settled + withdrawn, on chain = credited + waiting, withdrawn = paid + open',
    )
    .option('--json', 'print JSON')
    .action(async (options: Output) => {
      const report = await (await context.storage()).audit();
      const value = {
        ok: report.ok,
        accounts: report.accounts,
        difference_usd: formatUsd(report.differencePico),
        ...depositFields(report.deposits),
        ...withdrawalFields(report.withdrawals),
      };
      answer(context, options, {
        value: report.ok ? value : { ...value, problems: report.problems },
        rows: [{ ...value, ok: String(report.ok), accounts: String(report.accounts) }],
        ...(report.ok ? {} : { note: report.problems.join('\n') }),
      });
      if (!report.ok) throw new CommandError('The ledger does not add up.');
    });
}

/** Nothing where no chain is followed, or nobody has paid there yet. */
function depositFields({ onChain, credited, waiting }: AuditReport['deposits']) {
  if (onChain === 0n && credited === 0n && waiting === 0n) return {};
  return {
    deposits_on_chain_usd: formatUsd(onChain),
    deposits_credited_usd: formatUsd(credited),
    deposits_waiting_usd: formatUsd(waiting),
  };
}

/** Nothing where nobody has ever withdrawn. */
function withdrawalFields({ withdrawn, paid, open }: AuditReport['withdrawals']) {
  if (withdrawn === 0n && paid === 0n && open === 0n) return {};
  return {
    withdrawn_usd: formatUsd(withdrawn),
    withdrawals_paid_usd: formatUsd(paid),
    withdrawals_open_usd: formatUsd(open),
  };
}
