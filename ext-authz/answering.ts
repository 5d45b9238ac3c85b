/** The edge of the decision: its deadline, its metrics, and the one place where whatever was thrown becomes a refusal. */
import type { Failure } from '../domain/failure.ts';
import type { Logger } from '../runtime/log.ts';
import type { createAdmissionMetrics } from '../runtime/metrics.ts';
import type { Check, Decide, Verdict } from './decision.ts';
import { callerGone } from './hold.ts';

/** Less than Envoy waits for ext-authz, so that the refusal is ours and what was reserved is let go. */
const decisionTimeoutMs = 1500;
const retryAfterMs = 1000;

const unavailable: Failure = { kind: 'gateway-unavailable', retryAfterMs };

export type Answering = (check: Check, controller: AbortController) => Promise<Verdict>;

/** Always resolves; the caller aborts the controller with `callerGone` where nobody waits any more. */
export function createAnswering(options: {
  readonly decide: Decide;
  readonly metrics: ReturnType<typeof createAdmissionMetrics>;
  readonly log: Logger;
}): Answering {
  const { decide, metrics, log } = options;

  function verdictOnThrow(cause: unknown, { requestId }: Check): Verdict {
    if (cause === callerGone) return { kind: 'cancelled' };
    log.error({ err: cause, requestId }, 'could not decide');
    return { kind: 'refused', failure: unavailable };
  }

  return async (check, controller) => {
    const observe = metrics.seconds.startTimer();
    if (!check.keyOnly && isRetry(check)) metrics.clientRetries.inc();
    const verdict = await decideInTime(decide, check, controller).catch((cause: unknown) =>
      verdictOnThrow(cause, check),
    );
    metrics.decisions.inc({
      outcome: verdict.kind === 'refused' ? verdict.failure.kind : verdict.kind,
    });
    observe();
    return verdict;
  };
}

/** A decision that goes on after its time sees the aborted signal and lets go of what it holds. */
async function decideInTime(decide: Decide, check: Check, controller: AbortController) {
  const { signal } = controller;
  const timer = setTimeout(() => {
    controller.abort(new Error(`no decision within ${decisionTimeoutMs} ms`));
  }, decisionTimeoutMs);
  try {
    return await Promise.race([decide(check, signal), aborted(signal)]);
  } finally {
    clearTimeout(timer);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

const isRetry = ({ headers }: Check) => Number(headers['x-stainless-retry-count']) > 0;
