/** The text that a wallet signs to prove whose it is: issued by the gateway, for one account, good once. */
import type { SuiAddress } from './chain-ids.ts';

export type WalletChallenge = {
  readonly accountId: string;
  readonly wallet: SuiAddress;
  /** Exactly what is to be signed. */
  readonly text: string;
  readonly expiresMs: number;
};

/** How long a wallet has to sign. */
export const challengeLifeMs = 300_000;

/** Names all that the signature is good for; the account too, so that nobody can have another sign for theirs. */
export function createWalletChallenge(options: {
  /** The gateway's name as its callers know it. */
  domain: string;
  chainId: string;
  accountId: string;
  wallet: SuiAddress;
  /** 128 random bits in hex. */
  nonce: string;
  nowMs: number;
}): WalletChallenge {
  const { domain, chainId, accountId, wallet, nonce, nowMs } = options;
  const expiresMs = nowMs + challengeLifeMs;
  const text = [
    `${domain} asks you to prove that this wallet is yours. What it pays to the gateway is credited to the account.`,
    '',
    `Domain: ${domain}`,
    `Account: ${accountId}`,
    `Address: ${wallet}`,
    `Chain: ${chainId}`,
    `Nonce: ${nonce}`,
    `Issued at: ${new Date(nowMs).toISOString()}`,
    `Expires at: ${new Date(expiresMs).toISOString()}`,
  ].join('\n');
  return { accountId, wallet, text, expiresMs };
}
