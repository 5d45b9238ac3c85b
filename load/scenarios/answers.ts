/** Scenario `answers`: k6 asks in JSON and in streams; every answer is whole and every token is billed once. */
import { env, note } from '../env.ts';
import { resolveK6 } from '../k6-binary.ts';
import { type K6Figures, type K6Result, runK6 } from '../k6-run.ts';
import { assertLedgerClean, type Billed, followUsage } from '../ledger-check.ts';
import { inMs, type LoadOptions, type Report, tableOf } from '../report.ts';
import { type Stand, withStand } from '../stand.ts';

const benchNodes = { kind: 'bench', events: 30, eventGapMs: 5 } as const;
const accountNames = ['json', 'plain', 'told'] as const;
type Bills = Readonly<Record<(typeof accountNames)[number], Billed>>;

export async function runAnswers(options: LoadOptions): Promise<Report> {
  const binary = await resolveK6({ env, progress: note });
  const nodes = options.nodes === 'bench' ? benchNodes : ({ kind: 'devnet' } as const);
  return withStand({ nodes, envoyConcurrency: options.concurrency }, async (stand) => {
    const keys = await openAccounts(stand);
    const settings = {
      ...keys.settings,
      URL: stand.gateway.baseUrl,
      MODELS: stand.models.join(','),
      VUS: String(options.vus),
      DURATION: `${options.seconds}s`,
    };
    note(`k6: ${options.vus} callers for ${options.seconds} s each, JSON, then streams`);
    const { dataDir } = stand;
    const json = await runK6({ binary, script: 'json', dataDir, settings });
    const stream = await runK6({ binary, script: 'stream', dataDir, settings });
    const ledger = await assertLedgerClean(stand.storage);
    const bills = await keys.finish();
    return reportOf({ json, stream, bills, ledger });
  });
}

/** One account for each way of asking, so that what callers were told can be compared with what they paid. */
async function openAccounts(stand: Stand) {
  const open = async (name: string) => {
    const account = await stand.openAccount(name);
    return { account, following: await followUsage(stand.storage, account.accountId) };
  };
  const [json, plain, told] = [await open('json'), await open('plain'), await open('told')];
  return {
    settings: {
      JSON_KEY: json.account.apiKey,
      PLAIN_KEY: plain.account.apiKey,
      TOLD_KEY: told.account.apiKey,
    },
    finish: async (): Promise<Bills> => ({
      json: await json.following.finish(),
      plain: await plain.following.finish(),
      told: await told.following.finish(),
    }),
  };
}

function reportOf(run: { json: K6Result; stream: K6Result; bills: Bills; ledger: string }): Report {
  const { json, stream, bills, ledger } = run;
  const streamsBilled = bills.plain.requests + bills.told.requests;
  const problems = [
    ...(json.passed && stream.passed ? [] : ['a threshold of k6 was crossed']),
    ...differences('JSON', { figures: json.figures, billed: bills.json }),
    ...differences('streams with usage', { figures: stream.figures, billed: bills.told }),
    ...(streamsBilled === stream.figures.requests
      ? []
      : [`${stream.figures.requests} streams were asked for, ${streamsBilled} are billed`]),
  ];
  return {
    lines: [...tableOf([head, rowOf('JSON', json), rowOf('streams', stream)]), '', ledger],
    figures: { json: json.figures, stream: stream.figures, ledger },
    problems,
  };
}

const head = ['', 'requests', 'broken', 'p50', 'p99', 'first byte p50', 'p99'];

const rowOf = (name: string, { figures }: K6Result): string[] => [
  name,
  String(figures.requests),
  String(figures.broken),
  ...[figures.p50Ms, figures.p99Ms, figures.firstByteP50Ms, figures.firstByteP99Ms].map(inMs),
];

/** Where the tokens that callers were told are not those that were billed. */
function differences(name: string, run: { figures: K6Figures; billed: Billed }): string[] {
  const { figures, billed } = run;
  const pairs = [
    ['requests', figures.told, billed.requests],
    ['input tokens', figures.inputTokens, billed.inputTokens],
    ['cached input tokens', figures.cachedInputTokens, billed.cachedInputTokens],
    ['output tokens', figures.outputTokens, billed.outputTokens],
  ] as const;
  return pairs
    .filter(([, told, paid]) => told !== paid)
    .map(([what, told, paid]) => `${name}: callers were told ${told} ${what}, ${paid} are billed`);
}
