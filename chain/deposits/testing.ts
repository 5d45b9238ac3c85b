/** For tests: a chain on which wallets pay the gateway, and followers of its address. */
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createFullNode } from '../client.ts';
import type { FullNode } from '../full-node.ts';
import { followDeposits } from './follower.ts';
import type { DepositStore } from './store.ts';
import type { Treasury } from './transfers.ts';

const nobody = suiAddress(`0x${'0'.repeat(64)}`);

/** The product's client; what it would ask of a contract is not there. */
export const connectDeposits = (options: { host: string; chainId: string }): FullNode =>
  createFullNode({
    host: options.host,
    tls: false,
    pauseMs: () => 2,
    callDeadlineMs: 2000,
    streamSilenceMsMax: 1000,
    ids: { chainId: options.chainId, definingPackage: nobody, databaseId: nobody },
  });

export const treasuryOf = (options: {
  address: SuiAddress;
  coinType: string;
  firstCheckpoint?: bigint;
  ownAddresses?: readonly SuiAddress[];
}): Treasury => ({ firstCheckpoint: 0n, ownAddresses: [], ...options });

/** Follows until stopped. */
export function follow(options: {
  host: string;
  chainId: string;
  store: DepositStore;
  treasury: Treasury;
}): { stop(): Promise<void> } {
  const ending = new AbortController();
  const fullNode = connectDeposits(options);
  const { store, treasury } = options;
  const running = followDeposits(
    {
      fullNode,
      store,
      treasury,
      pollMs: 10,
      backoffMs: () => 5,
      nowMs: () => performance.now(),
      log: silentLog,
    },
    ending.signal,
  );
  return {
    async stop() {
      ending.abort();
      await running;
      fullNode.close();
    },
  };
}
