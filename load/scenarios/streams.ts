/** Scenario `streams`: many slow streams open at the same time; none fails, and the memory of each is measured. */
import { setTimeout as delay } from 'node:timers/promises';
import { readStat } from '../../envoy/admin.ts';
import { note } from '../env.ts';
import { assertLedgerClean, billProblems, followUsage } from '../ledger-check.ts';
import { growth, inMebibytes, type Memory, memoryOf, typical } from '../memory.ts';
import { assertOpenFiles } from '../open-files.ts';
import { failuresIn, type LoadAnswer } from '../orders.ts';
import { inMs, type LoadOptions, type Report, tableOf } from '../report.ts';
import { type Stand, type StandAccount, withStand } from '../stand.ts';
import { median, percentile } from '../statistics.ts';

const eventGapMs = 1000;
const warmUp = { requests: 1000, connections: 16 };
const sampleMs = 500;
const quietMs = 5000;
const kibibyte = 1024;

type Sample = { readonly open: number; readonly memory: Memory };
type Run = {
  readonly streams: number;
  readonly answer: LoadAnswer;
  /** Without a stream, with all of them, and after the last. */
  readonly before: Memory;
  readonly full: Memory;
  readonly after: Memory;
  readonly openMax: number;
};

export function runStreams(options: LoadOptions): Promise<Report> {
  const { streams, seconds, concurrency } = options;
  // Envoy holds two sockets for each: one to the caller, one to the node.
  assertOpenFiles(2 * streams);
  const nodes = { kind: 'bench', events: seconds, eventGapMs } as const;
  return withStand({ nodes, envoyConcurrency: concurrency }, async (stand) => {
    const account = await stand.openAccount('streams');
    const following = await followUsage(stand.storage, account.accountId);
    const run = await openStreams(stand, { account, streams, seconds });
    const ledger = await assertLedgerClean(stand.storage);
    const billed = await following.finish();
    return reportOf(run, { ledger, problems: billProblems(billed, streams + warmUp.requests) });
  });
}

async function openStreams(
  stand: Stand,
  options: { account: StandAccount; streams: number; seconds: number },
): Promise<Run> {
  const { account, streams, seconds } = options;
  const { gateway } = stand;
  const callers = stand.startHelper();
  const common = {
    url: gateway.baseUrl,
    apiKey: account.apiKey,
    model: stand.models[0] ?? '',
    usage: 'not-asked',
    deadlineMs: 600_000,
  } as const;
  await callers.load({ ...common, ...warmUp, mode: 'json', rampMs: 0 });
  await delay(quietMs);
  const before = memoryOf(gateway.processes);

  note(`opening ${streams} streams of ${seconds} s over ${seconds / 2} s`);
  const samples = sampleOpen(stand);
  const rampMs = (seconds * 1000) / 2;
  const load = { requests: streams, connections: streams, rampMs };
  const answer = await callers.load({ ...common, ...load, mode: 'sse' });
  const taken = await samples.stop();
  await delay(quietMs);
  const openMax = Math.max(...taken.map(({ open }) => open));
  return {
    streams,
    answer,
    before,
    full: typical(taken.filter(({ open }) => open === openMax).map(({ memory }) => memory)),
    after: memoryOf(gateway.processes),
    openMax,
  };
}

/** Reads memory together with the number of streams that Envoy has open. */
function sampleOpen({ gateway }: Stand) {
  const samples: Sample[] = [];
  let stopped = false;
  async function sample(): Promise<void> {
    while (!stopped) {
      const open = await readStat(gateway.envoyAdmin, 'http.gateway.downstream_rq_active');
      samples.push({ open: open ?? 0, memory: memoryOf(gateway.processes) });
      await delay(sampleMs);
    }
  }
  const sampling = sample();
  return {
    async stop() {
      stopped = true;
      await sampling;
      return samples;
    },
  };
}

function reportOf(run: Run, billed: { ledger: string; problems: readonly string[] }): Report {
  const { streams, answer, openMax } = run;
  const failures = failuresIn(answer);
  const grown = growth(run.before, run.full);
  const perStream = Object.entries(grown).map(
    ([name, bytes]) => [name, Math.round((bytes / openMax / kibibyte) * 10) / 10] as const,
  );
  const rows = perStream.map(([name, kib]) => [
    name,
    inMebibytes(run.before[name] ?? 0),
    inMebibytes(run.full[name] ?? 0),
    `${kib.toFixed(1)} KiB`,
    inMebibytes(run.after[name] ?? 0),
  ]);
  const firstByte = {
    p50: median(answer.firstBytesMs),
    p99: percentile(answer.firstBytesMs, 0.99),
  };
  return {
    lines: [
      ...tableOf([['', 'before', 'all open', 'per stream', 'after'], ...rows]),
      '',
      `${answer.latenciesMs.length} of ${streams} streams whole, ${openMax} open at the same time`,
      `first byte: p50 ${inMs(firstByte.p50)}, p99 ${inMs(firstByte.p99)}; the node waits ${eventGapMs} ms`,
      billed.ledger,
    ],
    figures: {
      streams,
      whole: answer.latenciesMs.length,
      open_max: openMax,
      kib_per_stream: Object.fromEntries(perStream),
      first_byte_ms: firstByte,
    },
    problems: [
      ...(failures === undefined ? [] : [`streams failed: ${failures}`]),
      ...(openMax >= streams ? [] : [`no more than ${openMax} were open at the same time`]),
      ...billed.problems,
    ],
  };
}
