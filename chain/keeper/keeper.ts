/**
 * The keeper of the treasury's money: one step at a time it reads what is under way, sends the kept bytes, and keeps what comes next. It
 * holds nothing in memory, and sends nothing that has not been kept: it may die anywhere.
 */
import { normalizeStructTag } from '@mysten/sui/utils';
import { suiAddress } from '../../domain/chain-ids.ts';
import type { Logger } from '../../runtime/log.ts';
import type { EventTypes } from '../bcs/event-types.ts';
import type { SigningKey } from '../keystore.ts';
import type { Lease } from '../lease.ts';
import { begin, type Change, type Desk, follow, gasNow, type Observation } from './begin.ts';
import type { Contract, Wallets } from './build.ts';
import { decideNext } from './decide.ts';
import { type KeeperNode, land } from './landing.ts';
import type { Operation, OperationKind } from './operation.ts';
import { dayMs, type KeeperSettings, type Plan } from './plan.ts';
import { reportEnd } from './report.ts';
import type { KeeperStore, StoredKeeper, WithdrawalQueue } from './store.ts';

export type KeeperOptions = {
  readonly node: KeeperNode;
  readonly store: KeeperStore;
  readonly withdrawals: WithdrawalQueue;
  readonly treasury: SigningKey;
  readonly stackOwner: SigningKey;
  readonly contract: Contract;
  readonly eventTypes: EventTypes;
  readonly usdcType: string;
  readonly gasBudgetMist: bigint;
  readonly settings: KeeperSettings;
  /** What is needed, by the present state of the chain and our own count, after what has ended. */
  readonly observe: (ended: StoredKeeper['ended']) => Promise<Observation>;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly nowMs: () => number;
  readonly log: Logger;
};

export type Step =
  /** Something was kept: there is more to do at once. */
  | { readonly kind: 'worked' }
  /** Nothing is to be bought, or nothing can be. */
  | { readonly kind: 'idle'; readonly unmet: Plan['unmet'] }
  /** A transaction may still land, or has not been kept for long enough to be sent. */
  | { readonly kind: 'in-doubt'; readonly operation: OperationKind }
  /** The treasury lacks coins of that type. */
  | { readonly kind: 'treasury-low'; readonly coinType: string }
  /** Another keeper leads. */
  | { readonly kind: 'fenced' };

export type Keeper = {
  /** Throws where the store or the node fails; nothing is lost by that. */
  step(lease: Lease, signal: AbortSignal): Promise<Step>;
};

type Progress = Exclude<Step, { kind: 'worked' | 'fenced' }> | Change;

/** Redis may lose the last two seconds of a power cut (storage): what is sent has to be known after that. */
const keptMsMin = 5000;

const suiType = normalizeStructTag('0x2::sui::SUI');

/** Throws where both keys are one: the stack owner's key signs what callers send, and must own no treasure. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { node, store, nowMs, log } = options;
  const wallets = toWallets(options);
  const usdcType = normalizeStructTag(options.usdcType);
  const parties = {
    treasury: wallets.treasury.address,
    owner: wallets.owner.address,
    usdcType,
    eventTypes: options.eventTypes,
  };

  /** A purchase that is forgotten costs one stack; a withdrawal would be paid twice. */
  async function send({ kind, startedMs, sent }: Operation, signal: AbortSignal) {
    const isSafelyKept = kind !== 'withdrawing' || nowMs() - startedMs >= keptMsMin;
    return isSafelyKept ? land({ node, sent, signal }) : undefined;
  }

  async function progress(stored: StoredKeeper, signal: AbortSignal): Promise<Progress> {
    // Throws where the node is of another chain.
    const { height } = await node.view(signal);
    const { operation } = stored;
    const landing = operation && (await send(operation, signal));
    if (operation && !landing) return { kind: 'in-doubt', operation: operation.kind };
    const next = landing && decideNext({ operation, landing, parties, nowMs: nowMs() });
    if (next?.kind === 'end') return { kind: 'change', operation: undefined, ended: next.ended };
    const desk: Desk = { ...options, wallets, parties, suiType, signal };
    const gas = await gasNow(desk, height);
    if (!gas) return { kind: 'treasury-low', coinType: suiType };
    return next ? follow(desk, { next, gas }) : begin(desk, { stored, gas });
  }

  return {
    async step(lease, signal) {
      // First, so that what an earlier process left open does not depend on the full node.
      await options.withdrawals.settle();
      // Before anything is kept that may bring a coin to the stack owner.
      await store.announce(wallets.owner.address);
      const stored = await store.load(nowMs() - dayMs);
      const done = await progress(stored, signal);
      if (done.kind !== 'change') return done;
      const { operation, ended } = done;
      const reply = await store.commit(lease, { revision: stored.revision, operation, ended });
      if (reply === 'fenced') return { kind: 'fenced' };
      if (reply === 'committed' && ended) reportEnd(log, ended);
      return { kind: 'worked' };
    },
  };
}

function toWallets({ treasury, stackOwner }: KeeperOptions): Wallets {
  if (treasury.address === stackOwner.address) {
    throw new TypeError('the treasury key and the stack-owner key are the same key');
  }
  return {
    treasury: { ...treasury, address: suiAddress(treasury.address) },
    owner: { ...stackOwner, address: suiAddress(stackOwner.address) },
  };
}
