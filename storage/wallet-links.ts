/** Whose wallet is whose on one chain, and the challenges by which that is proved, each good once. */
import type { SuiAddress } from '../domain/chain-ids.ts';
import { challengeLifeMs, type WalletChallenge } from '../domain/wallet-challenge.ts';
import { walletChallengeFromJson, walletChallengeToJson } from './codecs.ts';
import { depositKeys, globalKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, maybeTextFrom, textFrom } from './reply.ts';
import { scripts } from './script.ts';

/** More open ones replace the oldest. */
const challengesMax = 16;
export const walletsMax = 100;

/** A challenge as it stands in Redis, and where. */
type OpenChallenge = WalletChallenge & { readonly number: string; readonly json: string };

type Linking =
  | 'linked'
  /** It was used, or replaced, before. */
  | 'challenge-unknown'
  /** Another account has the wallet, for ever. */
  | 'wallet-taken'
  /** The account has `walletsMax` wallets. */
  | 'wallets-exceeded';

export type WalletLink = { readonly wallet: string; readonly linkedMs: number };

export type WalletLinks = {
  keep(challenge: WalletChallenge): Promise<void>;
  /** The account's open challenge with exactly this text, also where its time is over. */
  find(options: { accountId: string; text: string }): Promise<OpenChallenge | undefined>;
  /** Uses the challenge up and links its wallet in one step; only for whoever has met the challenge. */
  link(challenge: OpenChallenge): Promise<Linking>;
  /** The account that has the wallet. */
  ownerOf(wallet: SuiAddress): Promise<string | undefined>;
  /** Oldest first. */
  list(accountId: string): Promise<readonly WalletLink[]>;
};

export function createWalletLinks(options: {
  redis: Redis;
  chainId: string;
  nowMs: () => number;
}): WalletLinks {
  const { redis, chainId, nowMs } = options;
  const keys = depositKeys(chainId);

  return {
    async keep(challenge) {
      await scripts.walletChallenge(redis, {
        keys: [`${keys.challengesPrefix}${challenge.accountId}`],
        args: [walletChallengeToJson(challenge), String(challengeLifeMs), String(challengesMax)],
      });
    },

    async find({ accountId, text }) {
      const key = `${keys.challengesPrefix}${accountId}`;
      const fields = fieldsFrom(await redis.send(key, ['HGETALL', key]));
      for (const [number, json] of fields) {
        if (number === 'next') continue;
        const challenge = walletChallengeFromJson(json);
        if (challenge.text === text) return { ...challenge, number, json };
      }
      return undefined;
    },

    async link({ accountId, wallet, number, json }) {
      await redis.send(globalKeys.depositBooks, ['SADD', globalKeys.depositBooks, chainId]);
      const reply = await scripts.walletLink(redis, {
        keys: [`${keys.challengesPrefix}${accountId}`],
        args: [keys.book, accountId, wallet, number, json, String(nowMs()), String(walletsMax)],
      });
      return linkingFrom(textFrom(reply));
    },

    ownerOf: async (wallet) =>
      maybeTextFrom(await redis.send(keys.wallets, ['HGET', keys.wallets, wallet])),

    async list(accountId) {
      const key = `${keys.walletsOfPrefix}${accountId}`;
      const command = ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
      const scores = fieldsFrom(await redis.send(key, command));
      return [...scores].map(([wallet, linkedMs]) => ({ wallet, linkedMs: Number(linkedMs) }));
    },
  };
}

function linkingFrom(reply: string): Linking {
  switch (reply) {
    case 'linked':
    case 'challenge-unknown':
    case 'wallet-taken':
    case 'wallets-exceeded':
      return reply;
    default:
      throw new Error(`the link of a wallet answered "${reply}"`);
  }
}
