/** Recomputes a balance from an account's entries alone: the slow, readable twin of the scripts. */
import { depositIdIn } from '../domain/deposit.ts';
import { amountFrom } from './codecs.ts';
import type { StreamEntry } from './reply.ts';

export type Replay = {
  available: bigint;
  reserved: bigint;
  settled: bigint;
  deposited: bigint;
  readonly open: Map<string, bigint>;
  /** What was credited for deposits on a chain, by their ids. */
  readonly chainDeposits: Map<string, bigint>;
  readonly problems: string[];
};

export const emptyReplay = (): Replay => ({
  available: 0n,
  reserved: 0n,
  settled: 0n,
  deposited: 0n,
  open: new Map(),
  chainDeposits: new Map(),
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
