/** Which failed calls are made again, and after how long (Sui, section 9). */

const always: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
]);
const attemptsMax = 5;
// grpc-js reports some resets as INTERNAL; a server that means it says so again.
const internalAttemptsMax = 2;

const backoffMsMin = 250;
const backoffMsMax = 30_000;
const jitterMsMax = 500;

/** Whether a call that failed for the `attempt`th time, counted from 1, is made again. */
export function isRetryable({ code, attempt }: { code: string; attempt: number }): boolean {
  if (code === 'INTERNAL') return attempt < internalAttemptsMax;
  return always.has(code) && attempt < attemptsMax;
}

/** The pause after the `attempt`th failure: doubling, with jitter; `random` is from 0 to 1. */
export function backoffMs({ attempt, random }: { attempt: number; random: number }): number {
  const doubled = backoffMsMin * 2 ** Math.min(attempt - 1, 10);
  return Math.min(backoffMsMax, doubled) + random * jitterMsMax;
}
