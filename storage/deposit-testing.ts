/** For tests of deposits: processes that write them, and die when they are told to. */
import { randomUUID } from 'node:crypto';
import { type SuiAddress, suiAddress } from '../domain/chain-ids.ts';
import { type Deposit, microUsdc } from '../domain/deposit.ts';
import { createWalletChallenge } from '../domain/wallet-challenge.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { createAccounts } from './accounts.ts';
import { createDepositBook } from './deposit-book.ts';
import { connectRedis, type Redis } from './redis.ts';
import { createWalletLinks } from './wallet-links.ts';

export const addressOf = (n: number): SuiAddress =>
  suiAddress(`0x${n.toString(16).padStart(64, '0')}`);
const treasury = addressOf(1);
export const wallets = [addressOf(10), addressOf(11), addressOf(12)] as const;
export const nowMs = 1_700_000_000_000;

/** A connection that answers. */
export async function openRedis(redisUrl: string): Promise<Redis> {
  const redis = connectRedis({ redisUrl, log: silentLog });
  await redis.waitUntilReady(5000);
  return redis;
}

/** Five micro-USDC of a transaction of its own, unless told otherwise. */
export function depositOf(options: {
  digest?: string;
  payer?: SuiAddress | undefined;
  amount?: bigint;
  checkpoint?: bigint;
}): Deposit {
  const { digest = randomUUID(), payer, amount = 5n, checkpoint = 7n } = options;
  return { index: 0, timeMs: nowMs, checkpoint, digest, payer, amount: microUsdc(amount) };
}

export type Parts = ReturnType<typeof partsOver>;

/** All that writes deposits, over one connection. */
export function partsOver(redis: Redis, chainId: string) {
  const accounts = createAccounts({ redis, nowMs: () => nowMs, randomId: randomUUID });
  const book = createDepositBook({ redis, accounts, chainId, address: treasury, log: silentLog });
  const links = createWalletLinks({ redis, chainId, nowMs: () => nowMs });
  async function link(wallet: SuiAddress, accountId: string) {
    const nonce = randomUUID();
    const order = { domain: 'test', chainId, accountId, wallet, nonce, nowMs };
    const challenge = createWalletChallenge(order);
    await links.keep(challenge);
    const open = await links.find(challenge);
    return open ? links.link(open) : 'challenge-unknown';
  }
  return { accounts, book, links, link };
}

/** The book of a new chain, and two accounts. */
export async function newBook(redis: Redis) {
  const chainId = randomUUID();
  const parts = partsOver(redis, chainId);
  const first = (await parts.accounts.create({ name: 'a' })).id;
  const second = (await parts.accounts.create({ name: 'b' })).id;
  return { ...parts, chainId, first, second };
}

export const depositedOf = async ({ accounts }: Parts, id: string): Promise<bigint | undefined> =>
  (await accounts.get(id))?.balance.deposited;

/** A process that dies at its `at`th command, which Redis executes or not. */
export function mortal(redis: Redis, death: { at: number; executes: boolean }): Redis {
  let sent = 0;
  return {
    ...redis,
    async send(key, args) {
      sent += 1;
      if (sent < death.at) return redis.send(key, args);
      if (sent === death.at && death.executes) await redis.send(key, args);
      throw new Error('the process is dead');
    },
  };
}
