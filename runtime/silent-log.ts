/** For tests: a log that nobody reads. */
import { createLogger } from './log.ts';

export const silentLog = createLogger({ name: 'test', level: 'silent' });
