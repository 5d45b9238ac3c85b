/** `npm run bench`: the gateway and a bare Envoy before the same node, in turns; what counts is the ratio. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { startBareEnvoy } from './bare-envoy.ts';
import {
  type BenchMode,
  compare,
  type Measured,
  measuredFrom,
  type Round,
  sharesFor,
  tableFor,
} from './bench-figures.ts';
import { note, say } from './env.ts';
import type { Helper } from './helper.ts';
import { assertLedgerClean } from './ledger-check.ts';
import { failuresIn } from './orders.ts';
import { cpuSeconds } from './process-stats.ts';
import { withStand } from './stand.ts';

const count = z.coerce.number().int().min(1);
const argsSchema = z.object({
  rounds: count,
  requests: count,
  streams: count,
  concurrency: count,
  json: z.boolean().default(false),
  out: z.string().optional(),
});
type Args = z.infer<typeof argsSchema>;

type Target = {
  readonly url: string;
  readonly apiKey: string;
  readonly model: string;
  /** By name; their processor time is added up. */
  readonly pids: Readonly<Record<string, number>>;
};

const nodes = { kind: 'bench', events: 100, eventGapMs: 1 } as const;
const deadlineMs = 600_000;
/** Settlements and log entries follow the answers by at most this time, and belong to their cost. */
const trailMs = 700;

const titles = {
  json: 'JSON, 32 connections',
  sse: 'SSE, 100 events 1 ms apart, 64 connections',
  alone: 'SSE, one stream at a time',
} as const satisfies Record<BenchMode, string>;

const modes = ['json', 'sse', 'alone'] as const;

function loadOf(mode: BenchMode, { requests, streams }: Args) {
  switch (mode) {
    case 'json':
      return { mode: 'json', connections: 32, requests } as const;
    case 'sse':
      return { mode: 'sse', connections: 64, requests: streams } as const;
    case 'alone':
      return { mode: 'sse', connections: 1, requests: Math.ceil(streams / 40) } as const;
  }
}

const program = new Command('bench')
  .description('Measures what the gateway costs over a bare Envoy of the same build.')
  .option('--rounds <count>', 'rounds of each mode, gateway and bare Envoy in turns', '5')
  .option('--requests <count>', 'JSON: requests of each side and round', '10000')
  .option('--streams <count>', 'SSE: streams of each side and round', '1280')
  .option('--concurrency <count>', 'worker threads of both Envoys', '2')
  .option('--json', 'prints the ratios as JSON, and nothing else, on standard output')
  .option('--out <file>', 'writes ratios and the figures of every round to a file');

async function runBench(args: Args): Promise<Round[]> {
  return withStand({ nodes, envoyConcurrency: args.concurrency }, async (stand) => {
    const { gateway, nodesUrl, dataDir, models } = stand;
    const account = await stand.openAccount('bench');
    const envoy = await startBareEnvoy({
      dataDir,
      nodeUrl: nodesUrl,
      concurrency: args.concurrency,
    });
    stand.defer(envoy.process.stop);
    const common = { apiKey: account.apiKey, model: models[0] ?? '' };
    const pids = Object.fromEntries(gateway.processes.map(({ name, pid }) => [name, pid()]));
    const targets = {
      gateway: { ...common, url: gateway.baseUrl, pids },
      bare: { ...common, url: envoy.url, pids: { envoy: envoy.process.pid } },
    };
    const callers = stand.startHelper();
    note('warming up');
    for (const mode of modes) {
      const few = {
        ...args,
        requests: Math.ceil(args.requests / 2),
        streams: Math.ceil(args.streams / 2),
      };
      await measureBoth(targets, { mode, args: few, callers, round: 0 });
    }
    const rounds: Round[] = [];
    for (let round = 1; round <= args.rounds; round += 1) {
      for (const mode of modes) {
        note(`round ${round} of ${args.rounds}: ${titles[mode]}`);
        rounds.push(await measureBoth(targets, { mode, args, callers, round }));
      }
    }
    note(await assertLedgerClean(stand.storage));
    return rounds;
  });
}

type Turn = { mode: BenchMode; args: Args; callers: Helper; round: number };

/** Each side goes first in every other round. */
async function measureBoth(targets: { gateway: Target; bare: Target }, turn: Turn): Promise<Round> {
  const { mode, round } = turn;
  if (round % 2 === 0) {
    const gateway = await measure(targets.gateway, turn);
    return { mode, round, gateway, bare: await measure(targets.bare, turn) };
  }
  const bare = await measure(targets.bare, turn);
  return { mode, round, gateway: await measure(targets.gateway, turn), bare };
}

/** @throws where any answer is not whole: a figure over failures says nothing. */
async function measure(target: Target, { mode, args, callers }: Turn): Promise<Measured> {
  const { url, apiKey, model, pids } = target;
  const before = cpuOf(pids);
  const answer = await callers.load({
    ...{ url, apiKey, model, usage: 'any', rampMs: 0, deadlineMs },
    ...loadOf(mode, args),
  });
  await delay(trailMs);
  const after = cpuOf(pids);
  const failures = failuresIn(answer);
  if (failures !== undefined) throw new Error(`Answers were not whole: ${failures}`);
  const used = Object.keys(pids).map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]);
  return measuredFrom(answer, Object.fromEntries(used));
}

const cpuOf = (pids: Target['pids']): Record<string, number> =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)]));

const only = (rounds: readonly Round[], mode: BenchMode) =>
  rounds.filter((round) => round.mode === mode);

const ratiosOf = (rounds: readonly Round[]) => ({
  json: compare(only(rounds, 'json')),
  sse: {
    ...compare(only(rounds, 'sse')),
    first_token_added_alone_ms: compare(only(rounds, 'alone')).first_token_added_ms,
  },
});

function textOf(rounds: readonly Round[]): string {
  const busy = (['json', 'sse'] as const).flatMap((mode) => {
    const those = only(rounds, mode);
    return [titles[mode], ...tableFor(those), sharesFor(those), ''];
  });
  const added = compare(only(rounds, 'alone')).first_token_added_ms;
  return [
    ...busy,
    `${titles.alone}: first token + ${added.toFixed(2)} ms`,
    'Processor time is that of all our processes, Envoy and Redis, not that of node and callers.',
  ].join('\n');
}

try {
  const args = argsSchema.parse(program.parse().opts());
  const rounds = await runBench(args);
  const ratios = ratiosOf(rounds);
  say(args.json ? JSON.stringify(ratios) : textOf(rounds));
  if (args.out !== undefined) {
    const text = JSON.stringify(
      { processors: availableParallelism(), ratios, rounds },
      undefined,
      2,
    );
    await writeFile(args.out, `${text}\n`);
  }
} catch (cause) {
  note(cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause));
  process.exitCode = 1;
}
