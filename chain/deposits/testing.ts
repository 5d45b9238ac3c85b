/** For tests: a chain on which wallets pay the gateway, and followers of its address. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';
import { createLogger } from '../../runtime/log.ts';
import { createFullNode } from '../client.ts';
import type { FullNode } from '../full-node.ts';
import { followDeposits } from './follower.ts';
import type { DepositStore } from './store.ts';
import type { Treasury } from './transfers.ts';

export const silentLog = createLogger({ name: 'test', level: 'silent' });
const nobody = suiAddress(`0x${'0'.repeat(64)}`);
const deadlineMs = 20_000;

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
}): Treasury => ({ firstCheckpoint: 0n, ...options });

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

/** Waits until `check` holds; throws after a while. */
export async function until(what: string, check: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (performance.now() < endMs) {
    if (await check()) return;
    await sleep(10);
  }
  throw new Error(`timed out: ${what}`);
}
