/** Tells the gateway where a node listens, again and again: it may be away, may not know the node yet, or may have forgotten. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { signRegistration } from '../chain/node-registration.ts';
import type { Logger } from '../runtime/log.ts';

const retryMs = 250;
const repeatMsDefault = 30_000;
const timeoutMs = 5000;

/** Never rejects; ends with the signal. */
export async function keepRegistered(options: {
  readonly gatewayUrl: string;
  readonly body: ReturnType<typeof signRegistration>;
  /** Between two times that the gateway takes it. */
  readonly repeatMs?: number;
  /** Each time that it takes what it had not taken before. */
  readonly taken: () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { repeatMs = repeatMsDefault, taken, log, signal } = options;
  let last: string | undefined;
  while (!signal.aborted) {
    const refusal = await post(options);
    if (refusal !== last) {
      if (refusal === '') {
        log.info('the gateway has the address');
        taken();
      } else log.info({ refusal }, 'the gateway has not taken the address');
    }
    last = refusal;
    const pauseMs = refusal === '' ? repeatMs : retryMs;
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** Why the gateway has not taken it; empty where it has. */
async function post(options: {
  readonly gatewayUrl: string;
  readonly body: object;
  readonly signal: AbortSignal;
}): Promise<string> {
  try {
    const response = await fetch(new URL('/v1/nodes', options.gatewayUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(options.body),
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await response.text();
    return response.ok ? '' : `${response.status} ${text}`;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
