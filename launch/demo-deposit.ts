/** Money from the chain: a demo wallet pays the gateway's treasury, and the demo account's balance grows. */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { Transaction } from '@mysten/sui/transactions';
import { z } from 'zod';
import type { ChainDocument } from '../devnet/network-schema.ts';
import { connectSui, signAndSend, success, toKeypair } from '../devnet/sui/wallet.ts';
import type { SuiAddress } from '../domain/chain-ids.ts';
import { formatMicroUsdc } from '../domain/deposit.ts';
import { fund, hostOf } from './chain.ts';
import { ensureKeyFile } from './key-file.ts';

const amount = 5_000_000n;
const gasMist = 1_000_000_000n;
const creditMs = 15_000;
const pollMs = 100;
const walletName = 'demo-wallet';

export type DemoDepositOptions = {
  readonly baseUrl: string;
  /** Of the account that the money is for. */
  readonly apiKey: string;
  readonly dataDir: string;
  readonly chain: ChainDocument;
  readonly treasury: SuiAddress;
};

/** Makes the deposit, and tells of it in a line. @throws with the gateway's answer where it does not become balance. */
export async function depositDemo(options: DemoDepositOptions): Promise<string> {
  const { dataDir, chain } = options;
  const { file, address } = await ensureKeyFile(dataDir, walletName);
  const wallet = toKeypair(await readFile(file, 'utf8'));
  const call = createCaller(options);
  await Promise.all([
    fund(chain, { address, usdc: amount, mist: gasMist }),
    linkWallet(call, { wallet, address }),
  ]);
  const before = await balanceOf(call);
  const digest = await pay(options, wallet);
  await untilCredited(call, digest);
  const after = await balanceOf(call);
  return `a deposit of ${formatMicroUsdc(amount)} USDC became balance: ${before} → ${after} USD`;
}

type Answer = { readonly status: number; readonly text: string };
type Caller = (path: string, body?: object) => Promise<Answer>;

/** Calls the gateway as the account's owner does. */
const createCaller =
  ({ baseUrl, apiKey }: DemoDepositOptions): Caller =>
  async (path, body) => {
    const response = await fetch(`${baseUrl}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  };

async function expectJson<Value>(
  schema: z.ZodType<Value>,
  answer: { readonly of: string } & Answer,
): Promise<Value> {
  const { of, status, text } = answer;
  if (status === 200) return schema.parse(JSON.parse(text));
  throw new Error(`The demo deposit failed: ${of} answered ${status} ${text}`);
}

const walletList = z.object({ data: z.array(z.object({ address: z.string() })) });
const challenge = z.object({ message: z.string() });

/** Proves that the wallet is the account's, unless an earlier start has: then the chain is an old one. */
async function linkWallet(
  call: Caller,
  { wallet, address }: { wallet: Ed25519Keypair; address: SuiAddress },
): Promise<void> {
  const of = 'GET /v1/wallets';
  const { data } = await expectJson(walletList, { of, ...(await call('/v1/wallets')) });
  if (data.some((link) => link.address === address)) return;
  const issued = await call('/v1/wallets/challenge', { address });
  const { message } = await expectJson(challenge, {
    of: 'POST /v1/wallets/challenge',
    ...issued,
  });
  const { signature } = await wallet.signPersonalMessage(new TextEncoder().encode(message));
  const linked = await call('/v1/wallets', { message, signature });
  await expectJson(z.unknown(), { of: 'POST /v1/wallets', ...linked });
}

const account = z.object({ balance_usd: z.string() });

async function balanceOf(call: Caller): Promise<string> {
  const of = 'GET /v1/account';
  const { balance_usd } = await expectJson(account, { of, ...(await call('/v1/account')) });
  return balance_usd;
}

/** Sends the money as any wallet does; returns the transaction's digest. */
async function pay(
  { chain, treasury }: DemoDepositOptions,
  wallet: Ed25519Keypair,
): Promise<string> {
  const owner = wallet.toSuiAddress();
  const { client, close } = connectSui(hostOf(chain));
  try {
    const { objects } = await client.core.listCoins({ owner, coinType: chain.usdc_type });
    const tx = new Transaction();
    tx.setSender(owner);
    const [coin, ...others] = objects.map(({ objectId }) => tx.object(objectId));
    if (!coin) throw new Error('The demo deposit failed: the faucet gave its wallet nothing.');
    if (others.length > 0) tx.mergeCoins(coin, others);
    tx.transferObjects([tx.splitCoins(coin, [amount])], treasury);
    return success(await signAndSend(client, { tx, key: wallet })).digest;
  } finally {
    close();
  }
}

const deposit = z.object({ status: z.string() });

/** The gateway answers 503 before the transaction is final, and `waiting` before it is credited. */
async function untilCredited(call: Caller, digest: string): Promise<void> {
  const endMs = performance.now() + creditMs;
  let last: Answer;
  do {
    last = await call('/v1/deposits', { digest });
    if (last.status === 200 && deposit.parse(JSON.parse(last.text)).status === 'credited') return;
    await delay(pollMs);
  } while (performance.now() < endMs);
  throw new Error(`The demo deposit was not credited: ${last.status} ${last.text}`);
}
