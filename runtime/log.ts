/** JSON logs on standard error; what could hold a key, a prompt or an output is cut out even where it slips in. */
import { destination, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

const secretPaths = [
  'authorization',
  'key',
  'apiKey',
  'body',
  'prompt',
  'messages',
  'input',
  'secret',
];

/** A logger whose lines carry the name of the process. */
export function createLogger(options: { name: string; level: string }): Logger {
  return pino(
    {
      name: options.name,
      level: options.level,
      base: { service: options.name },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secretPaths.flatMap((path) => [path, `*.${path}`]), remove: true },
    },
    destination({ fd: 2, sync: true }),
  );
}
