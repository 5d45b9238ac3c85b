/** `npm run load`: one scenario on a gateway of its own; exits with 1 where anything is not as it must be. */
import { writeFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { note, say } from './env.ts';
import type { LoadOptions, Report } from './report.ts';
import { runAnswers } from './scenarios/answers.ts';
import { runSteady } from './scenarios/steady.ts';
import { runStrangers } from './scenarios/strangers.ts';
import { runStreams } from './scenarios/streams.ts';

const scenarios = {
  answers: runAnswers,
  streams: runStreams,
  steady: runSteady,
  strangers: runStrangers,
} as const satisfies Record<string, (options: LoadOptions) => Promise<Report>>;

const names = ['answers', 'streams', 'steady', 'strangers'] as const;
const count = z.coerce.number().int().min(1);

const argsSchema = z.object({
  scenario: z.enum(names),
  nodes: z.enum(['devnet', 'bench']),
  vus: count,
  duration: count,
  requests: count,
  streams: count,
  strangers: count,
  concurrency: count,
  json: z.boolean().default(false),
  out: z.string().optional(),
});

const program = new Command('load')
  .description('Puts load on a gateway of its own, and fails where anything is not as it must be.')
  .addOption(new Option('--scenario <name>', 'what to run').choices(names).default('answers'))
  .addOption(
    new Option('--nodes <kind>', 'answers: which nodes stand behind the gateway')
      .choices(['devnet', 'bench'])
      .default('devnet'),
  )
  .option('--vus <count>', 'paying callers at the same time', '20')
  .option('--duration <seconds>', 'answers, strangers: of each part; streams: of each stream', '20')
  .option('--requests <count>', 'steady: how many', '100000')
  .option('--streams <count>', 'streams: how many at the same time', '2000')
  .option('--strangers <count>', 'strangers: their connections', '500')
  .option('--concurrency <count>', "Envoy's worker threads", '2')
  .option('--json', 'prints the figures as JSON, and nothing else, on standard output')
  .option('--out <file>', 'writes the figures to a file as well');

try {
  const { duration, ...args } = argsSchema.parse(program.parse().opts());
  const report = await scenarios[args.scenario]({ ...args, seconds: duration });
  const figures = { scenario: args.scenario, ...report.figures, problems: report.problems };
  const text = JSON.stringify(figures, undefined, 2);
  say(args.json ? text : report.lines.join('\n'));
  if (args.out !== undefined) await writeFile(args.out, `${text}\n`);
  for (const problem of report.problems) note(`NOT AS IT MUST BE: ${problem}`);
  if (report.problems.length > 0) process.exitCode = 1;
  else if (process.exitCode === undefined) note('all as it must be');
} catch (cause) {
  note(cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause));
  process.exitCode = 1;
}
