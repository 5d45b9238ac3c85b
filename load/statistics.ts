/** Percentiles and medians of measurements. */

/** The value below which the given share of the values lies; 0 where there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const at = Math.ceil(sorted.length * share) - 1;
  return sorted[Math.max(0, at)] ?? 0;
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const half = sorted.length / 2;
  if (!Number.isInteger(half)) return sorted[Math.floor(half)] ?? 0;
  return ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** Three decimals are more than a measurement is worth. */
export const rounded = (value: number): number => Math.round(value * 1000) / 1000;
