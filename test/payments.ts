/** For tests: a stand-in chain on which wallets pay the gateway, the followers of its address, and a ledger. */
import { Transaction } from '@mysten/sui/transactions';
import { follow, treasuryOf } from '../chain/deposits/testing.ts';
import { type FullNode, startFullNode } from '../devnet/sui/full-node.ts';
import { changeBalance, mint } from '../devnet/sui/move-context.ts';
import { createSuiClient, fundBoth, keyOf } from '../devnet/sui/testing.ts';
import { signAndSend } from '../devnet/sui/wallet.ts';
import { suiAddress } from '../domain/chain-ids.ts';
import { createWalletChallenge } from '../domain/wallet-challenge.ts';
import type { Storage } from '../storage/storage.ts';
import { until } from './until.ts';

type Key = ReturnType<typeof keyOf>;

export const treasuryKey = keyOf(200);
export const [ann, bob] = [keyOf(201), keyOf(202)];
export const addressOf = (key: Key) => suiAddress(key.toSuiAddress());
const treasury = addressOf(treasuryKey);

/** What was on the chain before is not a deposit. */
const firstCheckpointDefault = 2n;

export type Payments = Awaited<ReturnType<typeof startPayments>>;

/** A new chain; each of the three wallets has one USDC, and gas. */
export async function startPayments(storage: Storage, { checkpointMs = 10 } = {}) {
  const node = await startFullNode({ checkpointMs: 0 });
  const coins = new Map(
    [treasuryKey, ann, bob].map((key) => {
      const owner = key.toSuiAddress();
      return [owner, fundBoth(node.chain, owner, 1_000_000n).usdcCoinId];
    }),
  );
  node.seal();
  const timer = checkpointMs > 0 ? setInterval(() => node.seal(), checkpointMs) : undefined;
  const running: { stop(): Promise<void> }[] = [];
  const chainId = node.chain.chainId();
  const book = storage.deposits({ chainId, address: treasury });
  const gatewayFrom = (firstCheckpoint: bigint) =>
    treasuryOf({ address: treasury, coinType: node.chain.usdcType, firstCheckpoint });

  return {
    node,
    chainId,
    book,
    gateway: gatewayFrom(firstCheckpointDefault),
    coinOf: (key: Key) => coins.get(key.toSuiAddress()) ?? '',
    ...createPayers(node, coins),
    ...createAccountTools(storage, chainId),

    /** Follows the gateway's address until stopped. */
    start({ host = node.address, firstCheckpoint = firstCheckpointDefault } = {}) {
      const one = follow({ host, chainId, store: book, treasury: gatewayFrom(firstCheckpoint) });
      running.push(one);
      return one;
    },
    /** Waits until all that is on the chain by now has been read. */
    async caughtUp(): Promise<void> {
      node.seal();
      const height = node.chain.ledger.history.height();
      const covered = async () => (await book.load())?.progress.covered ?? -1n;
      await until('all is read', async () => (await covered()) >= height);
    },
    async close(): Promise<void> {
      clearInterval(timer);
      await Promise.all(running.map((one) => one.stop()));
      await node.close();
    },
  };
}

function createPayers(node: FullNode, coins: ReadonlyMap<string, string>) {
  return {
    /** A signed transaction of the real SDK that pays somebody; returns its digest. */
    async pay(from: Key, options: { to?: string; amount: bigint; coin?: string }): Promise<string> {
      const owner = from.toSuiAddress();
      const { to = treasury, amount, coin = coins.get(owner) ?? '' } = options;
      const tx = new Transaction();
      tx.setSender(owner);
      const [part] = tx.splitCoins(tx.object(coin), [amount]);
      tx.transferObjects([part], to);
      const result = await signAndSend(createSuiClient(node.address), { tx, key: from });
      if (!result.Transaction) throw new Error('the payment fails');
      return result.Transaction.digest;
    },
    /** The same without a signature: many at once in a checkpoint. */
    payFreely(from: Key, amount: bigint): void {
      const owner = from.toSuiAddress();
      node.chain.change(owner, (draft) => {
        changeBalance(draft, coins.get(owner) ?? '', -amount);
        mint(draft, { type: node.chain.usdcType, owner: treasury, amount });
      });
    },
  };
}

function createAccountTools(storage: Storage, chainId: string) {
  /** As if the wallet had proved whose it is. */
  async function link(key: Key, accountId: string): Promise<void> {
    const links = storage.wallets(chainId);
    const order = { domain: 'd', chainId, accountId, nonce: 'n', nowMs: Date.now() };
    const challenge = createWalletChallenge({ ...order, wallet: addressOf(key) });
    await links.keep(challenge);
    const open = await links.find(challenge);
    if (open) await links.link(open);
  }
  return {
    link,
    async accountWith(...keys: readonly Key[]): Promise<string> {
      const { id } = await storage.accounts.create({ name: 'test' });
      for (const key of keys) await link(key, id);
      return id;
    },
    deposited: async (accountId: string): Promise<bigint> =>
      (await storage.accounts.get(accountId))?.balance.deposited ?? 0n,
  };
}
