/** Waiting in tests, for what happens by itself. */
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 10;

/** Waits until `check` holds. @throws where it does not in time. */
export async function until(
  what: string,
  check: () => Promise<boolean> | boolean,
  timeoutMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (performance.now() < endMs) {
    if (await check()) return;
    await sleep(pollMs);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`);
}
