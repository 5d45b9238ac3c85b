/** Everything that is kept in Redis, over one connection. */
import { randomBytes } from 'node:crypto';
import type { KeeperStore } from '../chain/keeper/store.ts';
import type { SuiAddress } from '../domain/chain-ids.ts';
import type { Ledger, UnitPool } from '../domain/reservation.ts';
import type { Logger } from '../runtime/log.ts';
import { type Accounts, createAccounts } from './accounts.ts';
import { type ApiKeys, createApiKeys } from './api-keys.ts';
import { type AuditReport, audit } from './audit.ts';
import { type CatalogueStore, createCatalogueStore } from './catalogue-store.ts';
import { type CauseNotices, createCauseNotices } from './cause-notices.ts';
import { type ChainRecords, createChainStore } from './chain-store.ts';
import { type Book, readBooks } from './deposit-audit.ts';
import { createDepositBook, type DepositBook } from './deposit-book.ts';
import { createKeeperStore } from './keeper-store.ts';
import type { TreasuryId } from './keys.ts';
import { createLedger } from './ledger.ts';
import { createNodeLocks, type NodeLocks } from './node-locks.ts';
import { createNodeRegistrations, type NodeRegistrations } from './node-registrations.ts';
import { createPrices, type Prices } from './prices.ts';
import { createPurchases, type Purchases } from './purchases.ts';
import { connectRedis } from './redis.ts';
import { createSweeper, type Sweeper } from './sweeper.ts';
import { createUnitPool, type StackKeeper, type StackRefusals } from './unit-pool.ts';
import { createUsageList, type UsageList } from './usage-list.ts';
import { createUseSamples, type UseSamples } from './use-samples.ts';
import { createWalletLinks, type WalletLinks } from './wallet-links.ts';
import { createWithdrawalBook, type WithdrawalBook } from './withdrawal-book.ts';

export type Storage = {
  readonly ledger: Ledger;
  readonly unitPool: UnitPool & StackKeeper & StackRefusals;
  readonly accounts: Accounts;
  readonly apiKeys: ApiKeys;
  readonly prices: Prices;
  readonly catalogue: CatalogueStore;
  readonly usage: UsageList;
  readonly sweeper: Sweeper;
  readonly nodeLocks: NodeLocks;
  readonly purchases: Purchases;
  readonly causeNotices: CauseNotices;
  /** What is known of one contract on the chain, by the id of its database. */
  chain(databaseId: SuiAddress): ChainRecords;
  /** How the stacks of that contract were used up. */
  useSamples(databaseId: SuiAddress): UseSamples;
  /** Where the nodes of that contract listen. */
  nodeRegistrations(databaseId: SuiAddress): NodeRegistrations;
  /** The deposits that came to the gateway's address on one chain. */
  deposits(chain: { chainId: string; address: SuiAddress }): DepositBook;
  /** Every deposit of every chain: for operators, since it reads all. */
  depositBooks(): Promise<readonly Book[]>;
  /** Whose wallet is whose on one chain. */
  wallets(chainId: string): WalletLinks;
  /** What the keeper of stacks does with the treasury's money. */
  treasury(id: TreasuryId): KeeperStore;
  /** What accounts withdraw from the treasury. */
  withdrawals(id: TreasuryId): WithdrawalBook;
  audit(): Promise<AuditReport>;
  /** Throws where Redis does not answer. */
  ping(): Promise<void>;
  close(): void;
};

const idBytes = 12;
const readyTimeoutMs = 5000;

/**
 * Waits some seconds for Redis, then returns in any case: without Redis every call throws, and works again once Redis is
 * back.
 */
export async function createStorage(options: { redisUrl: string; log: Logger }): Promise<Storage> {
  const { log } = options;
  const redis = connectRedis(options);
  const nowMs = () => Date.now();
  const randomId = () => randomBytes(idBytes).toString('hex');

  const accounts = createAccounts({ redis, nowMs, randomId });
  const storage = {
    ledger: createLedger(redis),
    unitPool: createUnitPool(redis),
    accounts,
    apiKeys: createApiKeys({ redis, nowMs, randomId, randomBytes }),
    prices: createPrices(redis),
    catalogue: createCatalogueStore({ redis, log }),
    usage: createUsageList(redis),
    sweeper: createSweeper(redis),
    nodeLocks: createNodeLocks({ redis, randomId }),
    purchases: createPurchases(redis),
    causeNotices: createCauseNotices(redis),
    chain: (databaseId: SuiAddress) => createChainStore({ redis, databaseId }),
    useSamples: (databaseId: SuiAddress) => createUseSamples({ redis, databaseId }),
    nodeRegistrations: (databaseId: SuiAddress) => createNodeRegistrations({ redis, databaseId }),
    deposits: (chain: { chainId: string; address: SuiAddress }) =>
      createDepositBook({ redis, accounts, log, ...chain }),
    depositBooks: () => readBooks(redis),
    wallets: (chainId: string) => createWalletLinks({ redis, chainId, nowMs }),
    treasury: (id: TreasuryId) => createKeeperStore({ redis, ...id }),
    withdrawals: (id: TreasuryId) => createWithdrawalBook({ redis, accounts, ...id }),
    audit: () => audit(redis),
    ping: async () => void (await redis.send('ping', ['EXISTS', 'ping'])),
    close: () => redis.close(),
  };
  if (!(await redis.waitUntilReady(readyTimeoutMs))) log.warn('Redis is not ready yet');
  return storage;
}
