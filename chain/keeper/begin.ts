/** Begins an operation, or goes on with one: chooses coins and gas, and builds the transaction that is to be kept. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { microUsdc, type SamplingRates } from '../costs.ts';
import type { ObjectRef } from '../transaction-node.ts';
import {
  buildBuying,
  buildPayment,
  buildReturn,
  type Contract,
  type Gas,
  type Wallets,
} from './build.ts';
import { chooseCoins } from './coins.ts';
import type { NextStep, Parties } from './decide.ts';
import type { KeeperNode } from './landing.ts';
import {
  type EndedOperation,
  type Operation,
  type SentTransaction,
  spendingOf,
} from './operation.ts';
import { pausesAfter, payableFromMs } from './pauses.ts';
import { type KeeperSettings, type Plan, planPurchases, type TaskNeed } from './plan.ts';
import type { StoredKeeper, WithdrawalQueue } from './store.ts';

/** What is needed, and what the contract adds to the price of sampled tasks. */
export type Observation = { readonly tasks: readonly TaskNeed[]; readonly rates: SamplingRates };

/** What is needed to build a transaction. */
export type Desk = {
  readonly node: KeeperNode;
  readonly wallets: Wallets;
  readonly parties: Parties;
  readonly contract: Contract;
  readonly suiType: string;
  readonly gasBudgetMist: bigint;
  readonly settings: KeeperSettings;
  readonly withdrawals: WithdrawalQueue;
  readonly observe: (ended: StoredKeeper['ended']) => Promise<Observation>;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
};

/** What is to be kept in one step. */
export type Change = {
  readonly kind: 'change';
  readonly operation: Operation | undefined;
  readonly ended: EndedOperation | undefined;
};

type TreasuryLow = { readonly kind: 'treasury-low'; readonly coinType: string };
type Idle = { readonly kind: 'idle'; readonly unmet: Plan['unmet'] } | TreasuryLow;
type Start = { readonly stored: StoredKeeper; readonly gas: Gas };

const nonceBytes = 32;

/** Far below what a transaction may take in. */
const coinsPerCollectionMax = 100;

/** The treasury's gas; nothing where it is less than the budget of a transaction. */
export async function gasNow(desk: Desk, height: bigint): Promise<Gas | undefined> {
  const { node, parties, suiType, gasBudgetMist: budgetMist, signal } = desk;
  const terms = await node.gasTerms(signal);
  const all = await node.coins({ owner: parties.treasury, coinType: suiType }, signal);
  const coins = chooseCoins(all, budgetMist);
  return coins && { ...terms, coins, budgetMist, height };
}

/** Collects what came to the stack owner; else pays the oldest withdrawal; else begins the neediest purchase. */
export async function begin(desk: Desk, start: Start): Promise<Change | Idle> {
  return (await collect(desk, start)) ?? (await withdraw(desk, start)) ?? buy(desk, start);
}

async function collect(desk: Desk, { gas }: Start): Promise<Change | undefined> {
  const { node, wallets, parties, nowMs, signal } = desk;
  const startedMs = nowMs();
  const { owner, usdcType: coinType } = parties;
  const all = await node.coins({ owner, coinType }, signal);
  const coins = all.filter(({ balance }) => balance > 0n).slice(0, coinsPerCollectionMax);
  if (coins.length === 0) return undefined;
  const sent = await buildReturn({ wallets, gas, coins });
  return goOn({ kind: 'collecting', id: sent.digest, startedMs, sent });
}

/** Where the treasury is short nothing else is bought: what accounts have withdrawn is not the gateway's to spend. */
async function withdraw(
  desk: Desk,
  { stored, gas }: Start,
): Promise<Change | TreasuryLow | undefined> {
  const nowMs = desk.nowMs();
  const { treasury, owner } = desk.parties;
  const withdrawal = (await desk.withdrawals.queued()).find(
    ({ reference, recipient }) =>
      // To pay ourselves would pay nobody; the order waits to be cancelled.
      ![treasury, owner].includes(recipient) && payableFromMs(reference, stored.ended) <= nowMs,
  );
  if (!withdrawal) return undefined;
  const { recipient, amount } = withdrawal;
  const sent = await pay(desk, { recipient, amount, gas });
  if ('kind' in sent) return sent;
  // From here on it is kept, so the node's time does not count.
  const startedMs = desk.nowMs();
  return goOn({ kind: 'withdrawing', id: sent.digest, startedMs, withdrawal, sent });
}

async function buy(desk: Desk, { stored, gas }: Start): Promise<Change | Idle> {
  const startedMs = desk.nowMs();
  const { orders, unmet } = planPurchases({
    ...(await desk.observe(stored.ended)),
    nowMs: startedMs,
    settings: desk.settings,
    spent: spendingOf(stored.ended),
    pauses: pausesAfter(stored.ended),
    open: [],
  });
  const [order] = orders;
  if (!order) return { kind: 'idle', unmet };
  const sent = await pay(desk, { recipient: desk.parties.owner, amount: order.cost, gas });
  if ('kind' in sent) return sent;
  return goOn({ kind: 'funding', id: sent.digest, startedMs, order, sent });
}

async function pay(
  { node, wallets, parties, randomBytes, signal }: Desk,
  { recipient, amount, gas }: { recipient: SuiAddress; amount: bigint; gas: Gas },
): Promise<SentTransaction | TreasuryLow> {
  const { treasury, usdcType: coinType } = parties;
  const coins = chooseCoins(await node.coins({ owner: treasury, coinType }, signal), amount);
  if (!coins) return { kind: 'treasury-low', coinType };
  const nonce = randomBytes(nonceBytes);
  return buildPayment({ wallets, gas, coins, amount, recipient, nonce });
}

/** Goes on with a purchase whose coin has come, or has to go back. */
export async function follow(
  desk: Desk,
  { next, gas }: { next: Exclude<NextStep, { kind: 'end' }>; gas: Gas },
): Promise<Change> {
  const { wallets, contract } = desk;
  const { id, startedMs, order } = next.purchase;
  if (next.kind === 'buy') {
    const { coin } = next;
    const sent = await buildBuying({ wallets, gas, contract, coin, order });
    return goOn({ kind: 'buying', id, startedMs, order, coinId: coin.objectId, sent });
  }
  const { coinId, failure } = next;
  const coin = await ownedCoin(desk, coinId);
  if (!coin) {
    const endedMs = desk.nowMs();
    const missing = microUsdc(order.cost);
    const ended = { kind: 'failed', id, startedMs, endedMs, order, failure, missing } as const;
    return { kind: 'change', operation: undefined, ended };
  }
  const sent = await buildReturn({ wallets, gas, coins: [coin] });
  return goOn({ kind: 'returning', id, startedMs, order, coinId, failure, sent });
}

/** As the stack owner has it; nothing where he has not. */
async function ownedCoin(
  { node, parties, signal }: Desk,
  coinId: ObjectRef['objectId'],
): Promise<ObjectRef | undefined> {
  const coin = await node.object(coinId, signal);
  return coin?.owner.kind === 'address' && coin.owner.address === parties.owner
    ? coin.ref
    : undefined;
}

const goOn = (operation: Operation): Change => ({ kind: 'change', operation, ended: undefined });
