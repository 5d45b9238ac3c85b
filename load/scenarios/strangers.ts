/** Scenario `strangers`: callers without a valid key do their worst, and those who pay hardly notice. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { askAdmin } from '../../envoy/admin.ts';
import { note } from '../env.ts';
import { assertLedgerClean } from '../ledger-check.ts';
import {
  growth,
  growthProblems,
  inMebibytes,
  type Memory,
  memoryOf,
  peak,
  sampleMemory,
} from '../memory.ts';
import { assertOpenFiles } from '../open-files.ts';
import { failuresIn, type LoadAnswer, type StrangersAnswer } from '../orders.ts';
import { inMs, type LoadOptions, type Report, tableOf } from '../report.ts';
import { type Stand, withStand } from '../stand.ts';
import { median, percentile, rounded } from '../statistics.ts';

const nodes = { kind: 'bench', events: 20, eventGapMs: 1 } as const;
const mebibyte = 1024 ** 2;
const sampleMs = 200;
const settleMs = 2000;
const unlimited = 1_000_000_000;

/**
 * Envoy takes in what a stranger sends until ext-authz has looked at the key: over loopback that is some MiB each, at a
 * gibibyte a second in all. It is given back to Envoy's allocator, not to the system, hence the second bound.
 */
const envoyGrowthBytesMax = 1024 * mebibyte;
const envoyKeptBytesMax = 32 * mebibyte;
const serviceGrowthBytesMax = 64 * mebibyte;

/** Strangers, callers and gateway share the processor: on two cores the strangers alone can fill one. */
const p50MsMax = 250;
const p99MsMax = 2000;

type Run = {
  readonly alone: LoadAnswer;
  readonly disturbed: LoadAnswer;
  readonly strangers: StrangersAnswer;
  readonly before: Memory;
  readonly highest: Memory;
  readonly after: Memory;
  /** What Envoy has allocated and not freed. */
  readonly envoyBefore: number;
  readonly envoyAfter: number;
};

export function runStrangers(options: LoadOptions): Promise<Report> {
  assertOpenFiles(options.strangers + 2 * options.vus);
  return withStand({ nodes, envoyConcurrency: options.concurrency }, async (stand) => {
    const run = await disturb(stand, options);
    return reportOf(run, await assertLedgerClean(stand.storage));
  });
}

async function disturb(stand: Stand, options: LoadOptions): Promise<Run> {
  const { gateway } = stand;
  const { seconds, vus } = options;
  const { apiKey } = await stand.openAccount('paying');
  const [callers, others] = [stand.startHelper(), stand.startHelper()];
  const url = gateway.baseUrl;
  const pay = () =>
    callers.load({
      ...{ url, apiKey, model: stand.models[0] ?? '', mode: 'json', usage: 'not-asked' },
      ...{ requests: unlimited, connections: vus, rampMs: 0, deadlineMs: seconds * 1000 },
    });
  note(`${vus} callers who pay, alone for ${seconds} s`);
  const warmUp = await pay();
  const alone = await pay();
  const before = memoryOf(gateway.processes);
  const allocated = async () => allocatedIn(await askAdmin(gateway.envoyAdmin, '/memory'));
  const envoyBefore = await allocated();

  note(`the same beside ${options.strangers} strangers`);
  const sampler = sampleMemory(gateway.processes, sampleMs);
  const durationMs = seconds * 1000 + 2 * settleMs;
  const strange = others.strangers({ url, connections: options.strangers, durationMs });
  await delay(settleMs);
  const disturbed = await pay();
  const strangers = await strange;
  const samples = sampler.stop().map(({ memory }) => memory);
  await delay(settleMs);
  const failures = { ...warmUp.failures, ...alone.failures };
  return {
    ...{ alone: { ...alone, failures }, disturbed, strangers, before },
    highest: peak(samples),
    after: memoryOf(gateway.processes),
    ...{ envoyBefore, envoyAfter: await allocated() },
  };
}

/** From what Envoy's admin address says of its memory. */
function allocatedIn(text: string | undefined): number {
  const { allocated } = z.object({ allocated: z.coerce.number() }).parse(JSON.parse(text ?? ''));
  return allocated;
}

const latencyOf = ({ latenciesMs, seconds }: LoadAnswer) => ({
  p50_ms: rounded(median(latenciesMs)),
  p99_ms: rounded(percentile(latenciesMs, 0.99)),
  per_second: rounded(latenciesMs.length / seconds),
});

/** A stranger who goes on sending after the refusal may lose it: the connection is reset then. */
const expectedOutcomes = ['401', 'closed', 'still open at the end'];

function reportOf(run: Run, ledger: string): Report {
  const [alone, disturbed] = [latencyOf(run.alone), latencyOf(run.disturbed)];
  const grown = growth(run.before, run.highest);
  const rowOf = (name: string, latency: typeof alone) => [
    name,
    ...[latency.p50_ms, latency.p99_ms].map(inMs),
    latency.per_second.toFixed(0),
  ];
  const memoryRows = Object.keys(grown).map((name) => [
    name,
    ...[run.before, run.highest, run.after, grown].map((memory) => inMebibytes(memory[name] ?? 0)),
  ]);
  const { outcomes, bytesSent } = run.strangers;
  const kept = run.envoyAfter - run.envoyBefore;
  return {
    lines: [
      ...tableOf([
        ['paying callers', 'p50', 'p99', 'requests a second'],
        rowOf('alone', alone),
        rowOf('beside strangers', disturbed),
      ]),
      '',
      ...tableOf([['memory', 'before', 'highest', 'after', 'growth'], ...memoryRows]),
      '',
      `Envoy's own count of allocated memory grew by ${inMebibytes(kept)}`,
      `strangers sent ${inMebibytes(bytesSent)} and met ${JSON.stringify(outcomes)}`,
      ledger,
    ],
    figures: {
      alone,
      disturbed,
      growth_bytes: grown,
      envoy_kept_bytes: kept,
      after_bytes: run.after,
      strangers: run.strangers,
    },
    problems: problemsOf({ run, disturbed, grown, kept }),
  };
}

function problemsOf(options: {
  run: Run;
  disturbed: ReturnType<typeof latencyOf>;
  grown: Memory;
  kept: number;
}): string[] {
  const { run, disturbed, grown, kept } = options;
  const { outcomes } = run.strangers;
  return [
    ...growthProblems(grown, (name) =>
      name === 'envoy' ? envoyGrowthBytesMax : serviceGrowthBytesMax,
    ),
    ...growthProblems({ 'what Envoy has allocated': kept }, () => envoyKeptBytesMax),
    ...slowness({ name: 'p50', ms: disturbed.p50_ms, allowedMs: p50MsMax }),
    ...slowness({ name: 'p99', ms: disturbed.p99_ms, allowedMs: p99MsMax }),
    ...[run.alone, run.disturbed].map(failuresIn).filter((text) => text !== undefined),
    ...Object.keys(outcomes)
      .filter((outcome) => !expectedOutcomes.includes(outcome))
      .map((outcome) => `${outcomes[outcome]} strangers met "${outcome}"`),
  ];
}

const slowness = ({ name, ms, allowedMs }: { name: string; ms: number; allowedMs: number }) =>
  ms <= allowedMs
    ? []
    : [`${name} is ${inMs(ms)} beside strangers, at most ${inMs(allowedMs)} is allowed`];
