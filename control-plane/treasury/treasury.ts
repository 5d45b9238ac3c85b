/** The gateway's money on the chain: deposits that come in, and stacks that are bought where the keys are here. */
import { randomBytes } from 'node:crypto';
import type { ChainIds } from '../../chain/client.ts';
import type { FullNode } from '../../chain/full-node.ts';
import type { TransactionNode } from '../../chain/transaction-node.ts';
import type { NodeSmallId, SuiAddress } from '../../domain/chain-ids.ts';
import type { ChainRecords } from '../../storage/chain-store.ts';
import type { DepositPorts } from '../api/deposits.ts';
import type { ChainTools } from '../chain.ts';
import type { AddressBook } from '../nodes/address-book.ts';
import { startDepositing } from './depositing.ts';
import { keepStacks } from './keeping.ts';
import type { Parties } from './keys.ts';
import type { TreasurySettings } from './settings.ts';
import type { Standing } from './standing.ts';

export type TreasuryOptions = {
  readonly treasury: TreasurySettings | undefined;
  readonly parties: Parties;
  readonly ids: ChainIds;
  readonly knownPackages: readonly SuiAddress[];
  readonly fullNode: FullNode & TransactionNode;
  readonly records: Pick<ChainRecords, 'saveReport' | 'onChange'>;
  readonly book: Pick<AddressBook, 'addresses'>;
  readonly standing: Pick<Standing, 'needs'>;
  readonly pollMs: number;
  readonly backoffMs: (attempt: number) => number;
};

/** `running` resolves when the signal has ended. */
export function startTreasury(
  options: TreasuryOptions,
  { tools, signal }: { readonly tools: ChainTools; readonly signal: AbortSignal },
): { readonly deposits: DepositPorts | undefined; readonly running: Promise<unknown> } {
  const { treasury: settings, parties, ids, fullNode, pollMs, backoffMs } = options;
  const { storage, log } = tools;
  if (!(settings && parties.treasury)) return { deposits: undefined, running: Promise.resolve() };
  const { address } = parties.treasury;
  const { depositsFrom: firstCheckpoint, usdcType: coinType, publicName } = settings;
  const depositing = startDepositing(
    {
      fullNode,
      storage,
      chainId: ids.chainId,
      treasury: {
        address,
        ownAddresses: [parties.stackOwner.address],
        coinType,
        firstCheckpoint,
      },
      publicName,
      pollMs,
      backoffMs,
      log,
    },
    signal,
  );
  const keeping = startKeeping({ options, settings, tools, signal });
  return { deposits: depositing.ports, running: Promise.all([depositing.running, keeping]) };
}

/** Does nothing where one of the keys is elsewhere. */
async function startKeeping({
  options,
  settings,
  tools,
  signal,
}: {
  options: TreasuryOptions;
  settings: TreasurySettings;
  tools: ChainTools;
  signal: AbortSignal;
}): Promise<void> {
  const { parties, ids, knownPackages, fullNode, records, book, standing, backoffMs } = options;
  const [treasury, stackOwner] = [parties.treasury?.key, parties.stackOwner.key];
  if (!(treasury && stackOwner && parties.treasury)) return;
  const id = { chainId: ids.chainId, address: parties.treasury.address };
  await keepStacks(
    {
      node: fullNode,
      store: tools.storage.treasury(id),
      withdrawals: tools.storage.withdrawals(id),
      treasury,
      stackOwner,
      usdcType: settings.usdcType,
      gasBudgetMist: settings.gasBudgetMist,
      settings: settings.keeper,
      contract: { ids, knownPackages },
      observe(ended) {
        const addresses = book.addresses();
        const isReachable = (nodeId: NodeSmallId) =>
          addresses.get(String(nodeId))?.kind === 'usable';
        return standing.needs({ isReachable, ended });
      },
      onChange: records.onChange,
      saveReport: (json) => records.saveReport('treasury', json),
      metrics: tools.treasuryMetrics,
      randomBytes,
      nowMs: () => Date.now(),
      backoffMs,
      log: tools.log,
    },
    signal,
  );
}
