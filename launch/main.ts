/** `npm start`: the whole gateway in the foreground, until SIGINT or SIGTERM. */
import { closeOnSignals, createClosing } from '../runtime/closing.ts';
import { configOrThrow } from '../runtime/config.ts';
import { createLogger } from '../runtime/log.ts';
import { launchConfig } from './config.ts';
import { chatBody } from './demo.ts';
import { start } from './start.ts';

const closeDeadlineMs = 9500;

const say = (text: string) => void process.stdout.write(`${text}\n`);
const log = createLogger({ name: 'launch', level: 'warn' });
const closing = createClosing(log);
closeOnSignals(closing, { log, deadlineMs: closeDeadlineMs });

try {
  const config = configOrThrow(launchConfig, process.env);
  const { baseUrl, apiKey, model } = await start({ config, env: process.env, closing, say });
  say('');
  if (model !== undefined) {
    say(`curl ${baseUrl}/v1/chat/completions \\`);
    say(`  -H 'Authorization: Bearer ${apiKey}' \\`);
    say("  -H 'Content-Type: application/json' \\");
    say(`  -d '${chatBody(model)}'`);
    say('');
  }
  say(
    `The gateway is at ${baseUrl}; its demo key is in ${config.ATOMA_DATA_DIR}/demo.json. Ctrl-C stops it.`,
  );
  say('ready');
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`);
  await closing.close();
  process.exit(1);
}
