/** Runs one k6 script and reads its figures; whether every answer was whole is decided by its thresholds. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { env } from './env.ts';

export type K6Figures = {
  readonly requests: number;
  readonly broken: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
  /** Answers that told their usage, and the tokens that callers were told. */
  readonly told: number;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
};

export type K6Result = {
  readonly figures: K6Figures;
  /** False where a threshold was crossed. */
  readonly passed: boolean;
};

const counter = z.object({ values: z.object({ count: z.number() }) });
const none = { values: { count: 0 } };
const trend = z.object({ values: z.object({ med: z.number(), 'p(99)': z.number() }) });

const summary = z.object({
  metrics: z.object({
    http_reqs: counter,
    whole: z.object({ values: z.object({ fails: z.number() }) }),
    answered: trend,
    first_byte: trend,
    answers_with_usage: counter.default(none),
    tokens_input: counter.default(none),
    tokens_cached_input: counter.default(none),
    tokens_output: counter.default(none),
  }),
});

const thresholdsCrossed = 99;

/** @throws where k6 could not run the script. */
export async function runK6(options: {
  readonly binary: string;
  /** The name of a script in `k6/`. */
  readonly script: 'json' | 'stream';
  readonly dataDir: string;
  readonly settings: Readonly<Record<string, string>>;
}): Promise<K6Result> {
  const { binary, script, dataDir, settings } = options;
  const summaryFile = join(dataDir, `k6-${script}.json`);
  const file = join(import.meta.dirname, 'k6', `${script}.ts`);
  const code = await runProgram(binary, {
    args: ['run', '--quiet', '--no-usage-report', '--no-color', file],
    settings: { ...settings, SUMMARY_FILE: summaryFile },
  });
  if (code !== 0 && code !== thresholdsCrossed) throw new Error(`k6 ended with code ${code}`);
  const { metrics } = summary.parse(JSON.parse(await readFile(summaryFile, 'utf8')));
  return { figures: figuresOf(metrics), passed: code === 0 };
}

function runProgram(
  binary: string,
  options: { args: readonly string[]; settings: Readonly<Record<string, string>> },
): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, options.args, {
      // Without the last one k6 may look for extensions over the network.
      env: { ...env, ...options.settings, K6_AUTO_EXTENSION_RESOLUTION: 'false' },
      // What k6 says is progress; standard output is for results.
      stdio: ['ignore', 2, 2],
    });
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

type Metrics = z.infer<typeof summary>['metrics'];

const figuresOf = (metrics: Metrics): K6Figures => ({
  requests: metrics.http_reqs.values.count,
  broken: metrics.whole.values.fails,
  p50Ms: metrics.answered.values.med,
  p99Ms: metrics.answered.values['p(99)'],
  firstByteP50Ms: metrics.first_byte.values.med,
  firstByteP99Ms: metrics.first_byte.values['p(99)'],
  told: metrics.answers_with_usage.values.count,
  inputTokens: metrics.tokens_input.values.count,
  cachedInputTokens: metrics.tokens_cached_input.values.count,
  outputTokens: metrics.tokens_output.values.count,
});
