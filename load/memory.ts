/** Memory of the gateway's processes over a run. */
import type { Supervised } from '../launch/supervised.ts';
import { mebibytes, residentBytes } from './process-stats.ts';
import { median } from './statistics.ts';

/** Resident bytes by the name of the process. */
export type Memory = Readonly<Record<string, number>>;

export const memoryOf = (processes: readonly Supervised[]): Memory =>
  Object.fromEntries(processes.map((process) => [process.name, residentBytes(process.pid())]));

/** The median of each process over several samples: one garbage collection more or less does not matter then. */
export const typical = (samples: readonly Memory[]): Memory =>
  merge(samples, (values) => median(values));

/** The most that each process had at any time. */
export const peak = (samples: readonly Memory[]): Memory =>
  merge(samples, (values) => Math.max(...values));

function merge(samples: readonly Memory[], join: (values: readonly number[]) => number): Memory {
  const names = Object.keys(samples[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, join(samples.map((sample) => sample[name] ?? 0))]),
  );
}

export const growth = (before: Memory, after: Memory): Memory =>
  Object.fromEntries(
    Object.entries(after).map(([name, bytes]) => [name, bytes - (before[name] ?? 0)]),
  );

/** Names each process that grew by more than its bound. */
export function growthProblems(grown: Memory, boundOf: (name: string) => number): string[] {
  return Object.entries(grown)
    .filter(([name, bytes]) => bytes > boundOf(name))
    .map(
      ([name, bytes]) =>
        `${name} grew by ${mebibytes(bytes)} MiB, at most ${mebibytes(boundOf(name))} MiB are allowed`,
    );
}

/** Samples until it is stopped. */
export function sampleMemory(processes: readonly Supervised[], intervalMs: number) {
  const samples: { readonly atMs: number; readonly memory: Memory }[] = [];
  const sample = () => samples.push({ atMs: performance.now(), memory: memoryOf(processes) });
  sample();
  const timer = setInterval(sample, intervalMs);
  return {
    stop() {
      clearInterval(timer);
      sample();
      return samples;
    },
  };
}

/** A cell of a table. */
export const inMebibytes = (bytes: number): string => `${mebibytes(bytes).toFixed(1)} MiB`;
