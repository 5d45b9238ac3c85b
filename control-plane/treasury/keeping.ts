/** Keeps the stacks bought: runs the keeper under its lease, and tells how the treasury stands. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createEventTypes } from '../../chain/bcs/event-types.ts';
import { defaultSamplingRates } from '../../chain/costs.ts';
import { createKeeper, type Keeper, type Step } from '../../chain/keeper/keeper.ts';
import type { KeeperNode } from '../../chain/keeper/landing.ts';
import { dayMs, type KeeperSettings, type TaskNeed } from '../../chain/keeper/plan.ts';
import type { KeeperStore, StoredKeeper, WithdrawalQueue } from '../../chain/keeper/store.ts';
import type { SigningKey } from '../../chain/keystore.ts';
import { type Lease, leadInTurn } from '../../chain/lease.ts';
import { normalType } from '../../chain/move-type.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import type { Logger } from '../../runtime/log.ts';
import type { createTreasuryMetrics } from '../../runtime/metrics.ts';
import { findContract } from './contract.ts';
import { showTreasury, type TreasuryView, toReport } from './report.ts';

export type KeepingOptions = {
  readonly node: KeeperNode & Parameters<typeof findContract>[0]['fullNode'];
  readonly store: KeeperStore;
  readonly withdrawals: WithdrawalQueue;
  readonly treasury: SigningKey;
  readonly stackOwner: SigningKey;
  readonly usdcType: string;
  readonly gasBudgetMist: bigint;
  readonly settings: KeeperSettings;
  readonly contract: Omit<Parameters<typeof findContract>[0], 'fullNode' | 'signal'>;
  /** What is needed, after those operations; nothing before anything is known of the chain. */
  readonly observe: (ended: StoredKeeper['ended']) => Promise<readonly TaskNeed[] | undefined>;
  readonly saveReport: (json: string) => Promise<void>;
  /** Called where what is needed may have changed; the returned function ends it. */
  readonly onChange: (listener: () => void) => () => void;
  readonly metrics: ReturnType<typeof createTreasuryMetrics>;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly nowMs: () => number;
  readonly backoffMs: (attempt: number) => number;
  readonly log: Logger;
  /** After a death another process begins within this and a half. */
  readonly leaseMs?: number;
};

const leaseMsDefault = 5000;
/** Between two looks: with nothing to buy, with a transaction that may land, and where money is lacking. */
const idleMs = 2000;
const inDoubtMs = 500;
const lowMs = 5000;
/** However often things change, nobody is asked more often. */
const restMsMin = 200;
const suiType = normalType('0x2::sui::SUI');

/** Runs until the signal ends. Never rejects: what fails is logged and tried again. */
export function keepStacks(options: KeepingOptions, signal: AbortSignal): Promise<void> {
  const { store, log, leaseMs = leaseMsDefault } = options;
  const run = (lease: Lease, ending: AbortSignal) => keep(options, { lease, signal: ending });
  return leadInTurn({ store, leaseMs, log, task: 'buy stacks', run }, signal);
}

type Turn = { readonly lease: Lease; readonly signal: AbortSignal };

async function keep(options: KeepingOptions, { lease, signal }: Turn): Promise<void> {
  const { node: fullNode, backoffMs, log } = options;
  const contract = await findContract({ ...options.contract, fullNode, signal });
  const desk = createDesk(options, contract);
  const rest = createRest(options.onChange, signal);
  let failures = 0;
  while (!signal.aborted) {
    try {
      const step = await desk.keeper.step(lease, signal);
      failures = 0;
      if (step.kind === 'fenced') return;
      if (step.kind === 'worked') continue;
      await desk.tell(step, signal);
      await rest(pauseMsAfter(step));
    } catch (cause) {
      if (signal.aborted) return;
      failures += 1;
      log.warn({ err: cause }, 'stacks cannot be bought');
      await pause(backoffMs(failures), signal);
    }
  }
}

const pause = (ms: number, signal: AbortSignal) =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

/** Rests for that long, or until something changes. */
function createRest(
  onChange: KeepingOptions['onChange'],
  signal: AbortSignal,
): (ms: number) => Promise<void> {
  let waking = new AbortController();
  const stop = onChange(() => waking.abort());
  signal.addEventListener('abort', stop, { once: true });
  return async (ms) => {
    await pause(restMsMin, signal);
    await pause(ms - restMsMin, AbortSignal.any([signal, waking.signal]));
    waking = new AbortController();
  };
}

type Resting = TreasuryView['step'];

function pauseMsAfter({ kind }: Resting): number {
  if (kind === 'in-doubt') return inDoubtMs;
  return kind === 'treasury-low' ? lowMs : idleMs;
}

/** The keeper, and what is told of it. */
function createDesk(
  options: KeepingOptions,
  contract: Awaited<ReturnType<typeof findContract>>,
): { readonly keeper: Keeper; tell(step: Resting, signal: AbortSignal): Promise<void> } {
  const { node, store, treasury, stackOwner, usdcType, settings, nowMs, log } = options;
  let needs: readonly TaskNeed[] = [];
  let told = '';
  const keeper = createKeeper({
    ...options,
    contract,
    eventTypes: createEventTypes(options.contract.knownPackages),
    async observe(ended) {
      needs = (await options.observe(ended)) ?? [];
      return { tasks: needs, rates: defaultSamplingRates };
    },
  });
  const balanceOf = async (coinType: string, signal: AbortSignal) => {
    const coins = await node.coins({ owner: suiAddress(treasury.address), coinType }, signal);
    return coins.reduce((sum, { balance }) => sum + balance, 0n);
  };
  return {
    keeper,
    async tell(step, signal) {
      const { operation, ended } = await store.load(nowMs() - dayMs);
      const view: TreasuryView = {
        atMs: nowMs(),
        treasury: suiAddress(treasury.address),
        stackOwner: suiAddress(stackOwner.address),
        balances: {
          usdc: await balanceOf(usdcType, signal),
          mist: await balanceOf(suiType, signal),
        },
        step,
        operation,
        ended,
        needs,
        settings,
      };
      showTreasury(options.metrics, view);
      await options.saveReport(toReport(view));
      const words = describe(step);
      if (words !== told && words !== '') log.warn({ reason: words }, 'no stacks are bought');
      told = words;
    },
  };
}

/** What hinders; nothing where all is well. Said once, until it is another. */
function describe(step: Step): string {
  if (step.kind === 'treasury-low') return `the treasury lacks ${step.coinType}`;
  if (step.kind !== 'idle') return '';
  return step.unmet.map(({ taskId, obstacle }) => `task ${taskId}: ${obstacle}`).join(', ');
}
