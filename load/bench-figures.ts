/** What a round of the benchmark measures, and what the rounds together say. */
import type { LoadAnswer } from './orders.ts';
import { tableOf } from './report.ts';
import { median, percentile, rounded } from './statistics.ts';

/** `alone` is one stream at a time: nothing waits for the processor then, so that only its latency is of interest. */
export type BenchMode = 'json' | 'sse' | 'alone';

/** One side of one round. */
export type Measured = {
  /** Processor time of each process, in milliseconds for one request. */
  readonly cpu_ms: Readonly<Record<string, number>>;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly per_second: number;
  readonly first_token_ms: number;
};

export type Round = {
  readonly mode: BenchMode;
  readonly round: number;
  readonly gateway: Measured;
  readonly bare: Measured;
};

export type Comparison = {
  /** All processes of the gateway, Redis among them, to the bare Envoy. */
  readonly cpu_ratio: number;
  readonly cpu_ratio_without_redis: number;
  readonly cpu_ratio_lowest: number;
  readonly cpu_ratio_highest: number;
  readonly p50_ratio: number;
  readonly p99_ratio: number;
  readonly throughput_ratio: number;
  readonly first_token_added_ms: number;
};

export function measuredFrom(
  answer: LoadAnswer,
  cpuSeconds: Readonly<Record<string, number>>,
): Measured {
  const requests = answer.latenciesMs.length;
  const perRequest = (seconds: number) => rounded((seconds * 1000) / requests);
  return {
    cpu_ms: Object.fromEntries(
      Object.entries(cpuSeconds).map(([name, seconds]) => [name, perRequest(seconds)]),
    ),
    p50_ms: rounded(median(answer.latenciesMs)),
    p99_ms: rounded(percentile(answer.latenciesMs, 0.99)),
    per_second: rounded(requests / answer.seconds),
    first_token_ms: rounded(median(answer.firstBytesMs)),
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const cpuOf = ({ cpu_ms }: Pick<Measured, 'cpu_ms'>) => sum(Object.values(cpu_ms));
const withoutRedis = ({ cpu_ms }: Measured) => ({ cpu_ms: { ...cpu_ms, redis: 0 } });

/** The medians of the ratios inside each round: what slows the machine down then slows both sides. */
export function compare(rounds: readonly Round[]): Comparison {
  const medianOf = (ratio: (round: Round) => number) => rounded(median(rounds.map(ratio)));
  const cpuRatios = rounds.map(({ gateway, bare }) => cpuOf(gateway) / cpuOf(bare));
  return {
    cpu_ratio: rounded(median(cpuRatios)),
    cpu_ratio_without_redis: medianOf(
      ({ gateway, bare }) => cpuOf(withoutRedis(gateway)) / cpuOf(bare),
    ),
    cpu_ratio_lowest: rounded(Math.min(...cpuRatios)),
    cpu_ratio_highest: rounded(Math.max(...cpuRatios)),
    p50_ratio: medianOf(({ gateway, bare }) => gateway.p50_ms / bare.p50_ms),
    p99_ratio: medianOf(({ gateway, bare }) => gateway.p99_ms / bare.p99_ms),
    throughput_ratio: medianOf(({ gateway, bare }) => gateway.per_second / bare.per_second),
    first_token_added_ms: medianOf(
      ({ gateway, bare }) => gateway.first_token_ms - bare.first_token_ms,
    ),
  };
}

/** The medians of both sides, and the ratios between them. */
export function tableFor(rounds: readonly Round[]): string[] {
  const ratios = compare(rounds);
  const rowOf = (name: string, read: (side: Measured) => number): string[] => [
    name,
    median(rounds.map(({ gateway }) => read(gateway))).toFixed(2),
    median(rounds.map(({ bare }) => read(bare))).toFixed(2),
  ];
  const times = (ratio: number) => `${ratio.toFixed(2)} ×`;
  const rows = [
    [...rowOf('CPU ms per request', cpuOf), times(ratios.cpu_ratio)],
    [...rowOf('p50 ms', (side) => side.p50_ms), times(ratios.p50_ratio)],
    [...rowOf('p99 ms', (side) => side.p99_ms), times(ratios.p99_ratio)],
    [...rowOf('requests per second', (side) => side.per_second), times(ratios.throughput_ratio)],
    [
      ...rowOf('first token ms', (side) => side.first_token_ms),
      `+ ${ratios.first_token_added_ms.toFixed(2)} ms`,
    ],
  ];
  return tableOf([['', 'gateway', 'bare Envoy', 'median of the rounds'], ...rows]);
}

/** Where the gateway's processor time goes, as medians. */
export function sharesFor(rounds: readonly Round[]): string {
  const names = new Set(rounds.flatMap(({ gateway }) => Object.keys(gateway.cpu_ms)));
  const parts = [...names].map((name) => {
    const ms = median(rounds.map(({ gateway }) => gateway.cpu_ms[name] ?? 0));
    return `${name} ${ms.toFixed(2)}`;
  });
  return `CPU ms per request: ${parts.join(', ')}`;
}
