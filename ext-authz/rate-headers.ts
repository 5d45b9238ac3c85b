/** `x-ratelimit-*` as OpenAI's clients read them; a limit that does not exist has no headers. */
import type { Failure } from '../domain/failure.ts';
import type { RateState } from '../domain/reservation.ts';

export type Header = readonly [name: string, value: string];

export type Rates = {
  readonly requests: RateState | undefined;
  readonly tokens: RateState | undefined;
};

/** Headers for what is left after an admitted request. */
export function toRateHeaders(rates: Rates): readonly Header[] {
  return [...headersOf('requests', rates.requests), ...headersOf('tokens', rates.tokens)];
}

/** Headers for a refusal: the limit that was met has nothing left. */
export function toRefusedRateHeaders(failure: Failure): readonly Header[] {
  switch (failure.kind) {
    case 'requests-exceeded':
      return headersOf('requests', spent(failure));
    case 'tokens-exceeded':
      return headersOf('tokens', spent(failure));
    default:
      return [];
  }
}

function spent(failure: { limit: number; retryAfterMs: number }): RateState {
  return { limit: failure.limit, remaining: 0, resetMs: failure.retryAfterMs };
}

function headersOf(unit: 'requests' | 'tokens', state: RateState | undefined): Header[] {
  if (!state) return [];
  return [
    [`x-ratelimit-limit-${unit}`, String(state.limit)],
    [`x-ratelimit-remaining-${unit}`, String(Math.max(0, state.remaining))],
    [`x-ratelimit-reset-${unit}`, toDuration(state.resetMs)],
  ];
}

/** Writes a duration as OpenAI does: `12ms`, `1s`, `1.5s`, `6m0s`. */
export function toDuration(durationMs: number): string {
  const wholeMs = Math.max(0, Math.ceil(durationMs));
  if (wholeMs < 1000) return `${wholeMs}ms`;
  const minutes = Math.floor(wholeMs / 60_000);
  const seconds = (wholeMs % 60_000) / 1000;
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`;
}
