/** Scenario `steady`: very many requests; the memory of each process stays where it was after the warm-up. */
import { note } from '../env.ts';
import { assertLedgerClean, billProblems, followUsage } from '../ledger-check.ts';
import {
  growth,
  growthProblems,
  inMebibytes,
  type Memory,
  peak,
  sampleMemory,
  typical,
} from '../memory.ts';
import { failuresIn, type LoadAnswer } from '../orders.ts';
import { inMs, type LoadOptions, type Report, tableOf } from '../report.ts';
import { withStand } from '../stand.ts';
import { median, percentile, rounded } from '../statistics.ts';

const nodes = { kind: 'bench', events: 20, eventGapMs: 1 } as const;
const sampleMs = 500;
const mebibyte = 1024 ** 2;
const deadlineMs = 3_600_000;

/** The heap of a service breathes by this much; a leak of 1 KiB a request is larger after 100,000 of them. */
const growthBytesMax = 32 * mebibyte;
/** The ledger keeps its entries, and the list of usage its newest lines: data, not a leak. */
const ledgerBytesPerRequest = 1024;

type Windows = Readonly<Record<'start' | 'middle' | 'end' | 'highest', Memory>>;

export function runSteady(options: LoadOptions): Promise<Report> {
  const { requests, vus, concurrency } = options;
  return withStand({ nodes, envoyConcurrency: concurrency }, async (stand) => {
    const account = await stand.openAccount('steady');
    const following = await followUsage(stand.storage, account.accountId);
    const callers = stand.startHelper();
    note(`sending ${requests} requests, one in ten a stream, from ${vus} callers`);
    const sampler = sampleMemory(stand.gateway.processes, sampleMs);
    const answer = await callers.load({
      url: stand.gateway.baseUrl,
      apiKey: account.apiKey,
      model: stand.models[0] ?? '',
      mode: 'mixed',
      usage: 'not-asked',
      requests,
      connections: vus,
      rampMs: 0,
      deadlineMs,
    });
    const windows = windowsOf(sampler.stop().map(({ memory }) => memory));
    const ledger = await assertLedgerClean(stand.storage);
    const billed = await following.finish();
    return reportOf({ answer, windows, ledger, problems: billProblems(billed, requests) });
  });
}

/** The warm-up is the first fifth: code is compiled and pools are filled in it. */
export function windowsOf(samples: readonly Memory[]): Windows {
  const part = (from: number, to: number) =>
    typical(samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to)));
  return {
    start: part(0.2, 0.3),
    middle: part(0.5, 0.6),
    end: part(0.9, 1),
    highest: peak(samples),
  };
}

function reportOf(run: {
  answer: LoadAnswer;
  windows: Windows;
  ledger: string;
  problems: readonly string[];
}): Report {
  const { answer, windows, ledger } = run;
  const answered = answer.latenciesMs.length;
  const grown = growth(windows.start, windows.end);
  // The start stands behind a fifth of the requests; what those left in the ledger is not growth.
  const ledgerBytes = answered * ledgerBytesPerRequest;
  const boundOf = (name: string) => growthBytesMax + (name === 'redis' ? ledgerBytes : 0);
  const failures = failuresIn(answer);
  const names = Object.keys(windows.start);
  const columns = [windows.start, windows.middle, windows.end, grown, windows.highest];
  const rows = names.map((name) => [
    name,
    ...columns.map((memory) => inMebibytes(memory[name] ?? 0)),
    inMebibytes(boundOf(name)),
  ]);
  const latency = {
    p50: rounded(median(answer.latenciesMs)),
    p99: rounded(percentile(answer.latenciesMs, 0.99)),
  };
  const perSecond = answered / answer.seconds;
  return {
    lines: [
      ...tableOf([['', 'start', 'middle', 'end', 'growth', 'highest', 'allowed growth'], ...rows]),
      '',
      `${answered} requests whole, ${perSecond.toFixed(0)} a second, p50 ${inMs(latency.p50)}, p99 ${inMs(latency.p99)}`,
      ledger,
    ],
    figures: {
      whole: answered,
      per_second: rounded(perSecond),
      latency_ms: latency,
      bytes: { ...windows, growth: grown },
    },
    problems: [
      ...run.problems,
      ...(failures === undefined ? [] : [`requests failed: ${failures}`]),
      ...growthProblems(grown, boundOf),
    ],
  };
}
