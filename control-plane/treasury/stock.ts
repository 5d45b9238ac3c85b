/** Our own count of the stacks: what was used of each, and how fast each model uses them up. */
import { type StackSmallId, stackSmallId } from '../../domain/chain-ids.ts';
import type { StackKeeper } from '../../storage/unit-pool.ts';
import type { UseSample, UseSamples } from '../../storage/use-samples.ts';
import { samplePeriodMs, unitsPerHour } from './use-rate.ts';

export type Stock = {
  /** Of each stack that ever was in a pool. */
  readonly used: ReadonlyMap<StackSmallId, bigint>;
  /** Their nodes refuse them for good: nothing more of them can be used. */
  readonly closed: ReadonlySet<StackSmallId>;
  /** By model. */
  readonly totals: ReadonlyMap<string, bigint>;
};

export type StockPorts = {
  readonly unitPool: Pick<StackKeeper, 'state'>;
  readonly samples: UseSamples;
  readonly nowMs: () => number;
};

/** Throws where the storage does not answer. */
export async function readStock(
  { unitPool }: Pick<StockPorts, 'unitPool'>,
  models: Iterable<string>,
): Promise<Stock> {
  const used = new Map<StackSmallId, bigint>();
  const closed = new Set<StackSmallId>();
  const totals = new Map<string, bigint>();
  for (const model of new Set(models)) {
    const { stacks } = await unitPool.state(model);
    totals.set(
      model,
      stacks.reduce((sum, stack) => sum + BigInt(stack.used), 0n),
    );
    for (const stack of stacks) {
      // Stacks that were not bought on the chain may have any name.
      if (!/^\d{1,19}$/.test(stack.id)) continue;
      const id = stackSmallId(BigInt(stack.id));
      used.set(id, BigInt(stack.used));
      if (stack.refused === 'closed') closed.add(id);
    }
  }
  return { used, closed, totals };
}

/** How fast each model uses its units up; keeps a sample where the last one is old enough. */
export async function readUseRate(
  { samples, nowMs }: Omit<StockPorts, 'unitPool'>,
  { totals }: Stock,
): Promise<ReadonlyMap<string, bigint>> {
  const now: UseSample = { atMs: nowMs(), totals };
  const known = await samples.list();
  const last = known.at(-1);
  if (!last || now.atMs - last.atMs >= samplePeriodMs) await samples.add(now);
  return unitsPerHour(known, now);
}
