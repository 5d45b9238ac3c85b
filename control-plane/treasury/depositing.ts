/** Deposits: follows the gateway's address, and gives the API what it needs to link wallets and look transfers up. */
import { randomBytes } from 'node:crypto';
import { followDeposits } from '../../chain/deposits/follower.ts';
import { lookUpDeposit } from '../../chain/deposits/lookup.ts';
import type { Treasury } from '../../chain/deposits/transfers.ts';
import { type FullNode, FullNodeError } from '../../chain/full-node.ts';
import type { Stepping } from '../../chain/indexer/stepping.ts';
import { verifyWallet } from '../../chain/wallet-proof.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DepositPorts } from '../api/deposits.ts';

export type DepositingOptions = Stepping & {
  readonly fullNode: FullNode;
  readonly storage: Pick<Storage, 'deposits' | 'wallets'>;
  readonly chainId: string;
  readonly treasury: Treasury;
  readonly publicName: string;
  readonly log: Logger;
};

const nonceBytes = 16;
/** So long a caller waits for the full node. */
const callerPatienceMs = 5000;

/** Begins to follow at once; `running` resolves when the signal has ended. */
export function startDepositing(
  options: DepositingOptions,
  signal: AbortSignal,
): { readonly ports: DepositPorts; readonly running: Promise<void> } {
  const { fullNode, storage, chainId, treasury, publicName, log } = options;
  const book = storage.deposits({ chainId, address: treasury.address });
  const patience = () => AbortSignal.any([signal, AbortSignal.timeout(callerPatienceMs)]);
  const ports: DepositPorts = {
    domain: publicName,
    chainId,
    wallets: storage.wallets(chainId),
    book,
    verify: (claim) => verifyWallet({ ...claim, fullNode, signal: patience() }),
    async lookUp(digest) {
      try {
        const found = { fullNode, store: book, treasury, digest, log, signal: patience() };
        return await lookUpDeposit(found);
      } catch (cause) {
        if (!(cause instanceof FullNodeError)) throw cause;
        log.warn({ err: cause }, 'a deposit cannot be looked up');
        return undefined;
      }
    },
    nonce: () => randomBytes(nonceBytes).toString('hex'),
    nowMs: () => Date.now(),
  };
  const nowMs = () => performance.now();
  return { ports, running: followDeposits({ ...options, store: book, nowMs }, signal) };
}
