/** How fast a model uses units up, from samples of our own count. Pure. */
import { dayMs, hourMs } from '../../chain/keeper/plan.ts';
import type { UseSample } from '../../storage/use-samples.ts';

/** How often a sample is worth keeping. */
export const samplePeriodMs = 5 * 60_000;

/**
 * Units per hour by model: the larger of the last hour's rate and the last day's, so that a burst counts at once and a
 * quiet night does not make it forgotten. What has been seen for less than an hour counts as an hour.
 */
export function unitsPerHour(
  samples: readonly UseSample[],
  now: UseSample,
): ReadonlyMap<string, bigint> {
  const rates = new Map<string, bigint>();
  for (const model of now.totals.keys()) {
    const lastHour = rateSince(now.atMs - hourMs, { samples, now, model });
    const lastDay = rateSince(now.atMs - dayMs, { samples, now, model });
    rates.set(model, lastHour > lastDay ? lastHour : lastDay);
  }
  return rates;
}

/** From the last sample at or before that time, else from the first. */
function rateSince(
  sinceMs: number,
  options: { samples: readonly UseSample[]; now: UseSample; model: string },
): bigint {
  const { samples, now, model } = options;
  const from = samples.findLast(({ atMs }) => atMs <= sinceMs) ?? samples[0] ?? now;
  const used = (now.totals.get(model) ?? 0n) - (from.totals.get(model) ?? 0n);
  const elapsedMs = BigInt(Math.max(hourMs, Math.round(now.atMs - from.atMs)));
  const perHour = used * BigInt(hourMs);
  return used <= 0n ? 0n : (perHour + elapsedMs - 1n) / elapsedMs;
}
