/** Begins an operation, or goes on with one: chooses coins and gas, and builds the transaction that is to be kept. */
import { microUsdc, type SamplingRates } from '../costs.ts';
import type { ObjectRef } from '../transaction-node.ts';
import {
  buildBuying,
  buildFunding,
  buildReturn,
  type Contract,
  type Gas,
  type Wallets,
} from './build.ts';
import { chooseCoins } from './coins.ts';
import type { NextStep, Parties } from './decide.ts';
import type { KeeperNode } from './landing.ts';
import { type EndedOperation, type Operation, type StackOrder, spendingOf } from './operation.ts';
import { pausesAfter } from './pauses.ts';
import { type KeeperSettings, type Plan, planPurchases, type TaskNeed } from './plan.ts';
import type { StoredKeeper } from './store.ts';

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
  readonly observe: () => Promise<Observation>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
};

/** What is to be kept in one step. */
export type Change = {
  readonly kind: 'change';
  readonly operation: Operation | undefined;
  readonly ended: EndedOperation | undefined;
};

type Idle =
  | { readonly kind: 'idle'; readonly unmet: Plan['unmet'] }
  | { readonly kind: 'treasury-low'; readonly coinType: string };

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

/** Collects what came to the stack owner; else begins the neediest purchase. */
export async function begin(
  desk: Desk,
  { stored, gas }: { stored: StoredKeeper; gas: Gas },
): Promise<Change | Idle> {
  const { node, wallets, parties, settings, signal } = desk;
  const startedMs = desk.nowMs();
  const { owner, usdcType: coinType } = parties;
  const all = await node.coins({ owner, coinType }, signal);
  const coins = all.filter(({ balance }) => balance > 0n).slice(0, coinsPerCollectionMax);
  if (coins.length > 0) {
    const sent = await buildReturn({ wallets, gas, coins });
    return goOn({ kind: 'collecting', id: sent.digest, startedMs, sent });
  }
  const { orders, unmet } = planPurchases({
    ...(await desk.observe()),
    nowMs: startedMs,
    settings,
    spent: spendingOf(stored.ended),
    pauses: pausesAfter(stored.ended),
    open: [],
  });
  const [order] = orders;
  return order ? fund(desk, { order, startedMs, gas }) : { kind: 'idle', unmet };
}

async function fund(
  { node, wallets, parties, signal }: Desk,
  { order, startedMs, gas }: { order: StackOrder; startedMs: number; gas: Gas },
): Promise<Change | Idle> {
  const { treasury, usdcType: coinType } = parties;
  const coins = chooseCoins(await node.coins({ owner: treasury, coinType }, signal), order.cost);
  if (!coins) return { kind: 'treasury-low', coinType };
  const sent = await buildFunding({ wallets, gas, coins, amount: order.cost });
  return goOn({ kind: 'funding', id: sent.digest, startedMs, order, sent });
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
