/** Recomputes a balance from an account's entries alone: the slow, readable twin of the scripts. */
import { depositIdIn } from '../domain/deposit.ts';
import { amountFrom } from './codecs.ts';
import type { StreamEntry } from './reply.ts';

export type TakenMoney = { readonly amount: bigint; readonly isReturned: boolean };

export type Replay = {
  available: bigint;
  reserved: bigint;
  settled: bigint;
  deposited: bigint;
  withdrawn: bigint;
  readonly open: Map<string, bigint>;
  /** What was credited for deposits on a chain, by their ids. */
  readonly chainDeposits: Map<string, bigint>;
  /** By reference, what was taken for withdrawals, and whether it was given back. */
  readonly withdrawals: Map<string, TakenMoney>;
  readonly problems: string[];
};

export const emptyReplay = (): Replay => ({
  available: 0n,
  reserved: 0n,
  settled: 0n,
  deposited: 0n,
  withdrawn: 0n,
  open: new Map(),
  chainDeposits: new Map(),
  withdrawals: new Map(),
  problems: [],
});

/** Applies one entry; what an honest ledger never holds becomes a problem. */
export function replayEntry(replay: Replay, { id, fields }: StreamEntry): void {
  const kind = fields.get('kind') ?? '';
  const requestId = fields.get('id') ?? '';
  const held = amountFrom(fields.get('held') ?? '');
  const charged = amountFrom(fields.get('charged') ?? '');
  const report = (problem: string) => replay.problems.push(`entry ${id}: ${problem}`);

  switch (kind) {
    case 'deposit':
      replay.deposited += held;
      replay.available += held;
      noteChainDeposit(replay, { reference: requestId, amount: held });
      return;
    case 'reserve':
      if (replay.open.has(requestId)) report(`${requestId} is reserved twice`);
      replay.open.set(requestId, held);
      replay.available -= held;
      replay.reserved += held;
      if (replay.available < 0n) report('the balance is below zero');
      return;
    case 'settle':
    case 'release':
    case 'expire':
      end(replay, { id, kind, requestId, held, charged });
      return;
    case 'withdraw':
      withdraw(replay, { id, reference: requestId, amount: held });
      return;
    case 'give-back':
      giveBack(replay, { id, reference: requestId, amount: held });
      return;
    default:
      report(`unknown kind "${kind}"`);
  }
}

function noteChainDeposit(
  { chainDeposits, problems }: Replay,
  { reference, amount }: { reference: string; amount: bigint },
): void {
  const id = depositIdIn(reference);
  if (id === undefined) return;
  if (chainDeposits.has(id)) problems.push(`${reference} is credited twice`);
  chainDeposits.set(id, amount);
}

type Withdrawing = { readonly id: string; readonly reference: string; readonly amount: bigint };

function withdraw(replay: Replay, { id, reference, amount }: Withdrawing): void {
  const { withdrawals, problems } = replay;
  if (withdrawals.has(reference)) problems.push(`entry ${id}: ${reference} is taken twice`);
  withdrawals.set(reference, { amount, isReturned: false });
  replay.withdrawn += amount;
  replay.available -= amount;
  if (replay.available < 0n) problems.push(`entry ${id}: the balance is below zero`);
}

function giveBack(replay: Replay, { id, reference, amount }: Withdrawing): void {
  const taken = replay.withdrawals.get(reference);
  if (taken?.amount !== amount || taken.isReturned) {
    replay.problems.push(`entry ${id}: ${reference} is given back, which is not taken`);
  }
  replay.withdrawals.set(reference, { amount, isReturned: true });
  replay.withdrawn -= amount;
  replay.available += amount;
}

type Ending = { id: string; kind: string; requestId: string; held: bigint; charged: bigint };

function end(replay: Replay, { id, kind, requestId, held, charged }: Ending): void {
  if (replay.open.get(requestId) !== held) {
    replay.problems.push(`entry ${id}: ${kind} of ${requestId}, which is not held`);
  }
  if (charged > held || (kind !== 'settle' && charged > 0n)) {
    replay.problems.push(`entry ${id}: ${requestId} is overcharged`);
  }
  replay.open.delete(requestId);
  replay.reserved -= held;
  replay.settled += charged;
  replay.available += held - charged;
}
