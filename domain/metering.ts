/** What an exchange costs, given how it ended and what was seen of it: the node's count where it can be believed, else ours. */
import type { Exchange } from './exchange.ts';
import { least, type PicoUsd, picoUsd } from './money.ts';
import type { ReportedUsage } from './node-usage.ts';
import { costOf } from './price.ts';
import type { Ending } from './reservation.ts';
import { noUsage, type Usage } from './usage.ts';

export type Observed = {
  readonly ending: Ending;
  /** Whether any byte of an answer was passed to the caller. */
  readonly delivered: boolean;
  readonly reported: ReportedUsage;
  /** The gateway's own count of what was delivered. */
  readonly outputTokens: number;
  readonly images: number;
  /** Whether a sealed request used more than it was let in with. */
  readonly exceeded: boolean;
};

export type Charge = {
  /** A release returns all that is held. */
  readonly kind: 'settle' | 'release';
  readonly usage: Usage;
  readonly cost: PicoUsd;
  /** True where the gateway's own count was charged. */
  readonly estimated: boolean;
};

const nothing: Charge = { kind: 'release', usage: noUsage, cost: picoUsd(0n), estimated: false };

/** Charges for what was delivered, never more than is held; an answer of which nothing was delivered costs nothing. */
export function chargeFor(exchange: Exchange, observed: Observed): Charge {
  // All that is held, though nothing may have been delivered: otherwise units would be free for whoever hides what he asks.
  if (observed.exceeded) return charge(exchange, { ...exchange.bound, cachedInputTokens: 0 }, true);
  if (!observed.delivered) return nothing;
  // Half of a JSON text is of no use; a caller who left chose to have no more of it.
  const isWhole = observed.ending === 'completed' || observed.ending === 'client-aborted';
  if (!exchange.stream && !isWhole) return nothing;
  if (exchange.endpoint === 'images') return chargeImages(exchange, observed);

  const own = ownUsage(exchange, observed.outputTokens);
  const { reported } = observed;
  if (typeof reported === 'string') return charge(exchange, own, true);
  // A node that broke off is paid for what arrived, whatever it announced before.
  return isWhole
    ? charge(exchange, reported, false)
    : charge(exchange, lesser(own, reported), true);
}

function charge(exchange: Exchange, usage: Usage, estimated: boolean): Charge {
  return {
    kind: 'settle',
    usage,
    cost: least(costOf(exchange.price, usage), exchange.reserved),
    estimated,
  };
}

/** Pictures are counted, and their pixels follow from the request. */
function chargeImages(exchange: Exchange, { images: seen }: Observed): Charge {
  const { bound } = exchange;
  const images = Math.min(seen, bound.images);
  const pixelsEach = bound.images > 0 ? Math.floor(bound.imagePixels / bound.images) : 0;
  const usage = { ...noUsage, images, imagePixels: images * pixelsEach };
  return charge(exchange, usage, seen > bound.images);
}

function ownUsage({ bound, estimatedInputTokens }: Exchange, outputTokens: number): Usage {
  return {
    ...noUsage,
    inputTokens: Math.min(estimatedInputTokens, bound.inputTokens),
    outputTokens: Math.min(outputTokens, bound.outputTokens),
  };
}

function lesser(own: Usage, reported: Usage): Usage {
  const inputTokens = Math.min(own.inputTokens, reported.inputTokens);
  return {
    ...noUsage,
    inputTokens,
    cachedInputTokens: Math.min(reported.cachedInputTokens, inputTokens),
    outputTokens: Math.min(own.outputTokens, reported.outputTokens),
  };
}
