/** What is known of one exchange, and its end, which happens exactly once. */
import type { Exchange } from '../domain/exchange.ts';
import { type Charge, chargeFor } from '../domain/metering.ts';
import type { Ending } from '../domain/reservation.ts';
import type { Logger } from '../runtime/log.ts';
import type { Causes } from './causes.ts';
import type { Leases } from './leases.ts';
import { createPipeline } from './pipeline.ts';
import type { ExchangeContext, ExtProcPlugin, NodeIdentity } from './plugin.ts';
import type { ExchangeMetrics } from './plugins/settle.ts';
import type { Refusals } from './refusals.ts';
import { createTally } from './tally.ts';

export type RunTools = {
  /** In the order in which they run; the settlement last. */
  readonly plugins: readonly ExtProcPlugin[];
  readonly leases: Leases;
  readonly causes: Causes;
  readonly refusals: Refusals;
  readonly metrics: ExchangeMetrics;
  readonly log: Logger;
  readonly nowMs: () => number;
};

const nobody: NodeIdentity = { id: '', protocol: '', stackId: '', signerAddress: '' };

export function createExchangeState(exchange: Exchange, tools: RunTools) {
  const { leases, causes, metrics, nowMs } = tools;
  const log = tools.log.child({ requestId: exchange.requestId });
  const tally = createTally();
  let node = nobody;
  let status = 0;
  let isEnded = false;
  let isBroken = false;
  let isFirstByteSeen = false;
  const context: ExchangeContext = { exchange, tally, log, node: () => node };
  const pipeline = createPipeline(
    tools.plugins.map((plugin) => plugin.begin(context)),
    log,
  );
  leases.add(exchange);
  metrics.open.inc();

  function chargeAs(ending: Ending): Charge {
    const reported = tally.trusted ? tally.reported : 'implausible';
    return chargeFor(exchange, { ...tally, ending, reported });
  }

  /** Only the first call counts. */
  function end(ending: Ending): void {
    if (isEnded) return;
    isEnded = true;
    leases.remove(exchange);
    metrics.open.dec();
    pipeline.end({ ending, status, charge: chargeAs(ending) });
  }

  return {
    context,
    pipeline,
    chargeAs,
    end,
    /** The status that the caller sees, and who answered. */
    answered(seen: number, by: NodeIdentity = node): void {
      status = seen;
      // A sealed request names its stack, whichever the node has by now.
      node = exchange.sealed ? { ...by, stackId: exchange.sealed.stackId } : by;
    },
    noteFirstByte(): void {
      if (isFirstByteSeen || !tally.delivered) return;
      isFirstByteSeen = true;
      const seconds = Math.max(0, nowMs() - exchange.startedMs) / 1000;
      metrics.firstTokenSeconds.observe({ model: exchange.model }, seconds);
    },
    isEnded: (): boolean => isEnded,
    /** Ends what has not ended, once it is known who broke it off. */
    broken(): void {
      if (isEnded || isBroken) return;
      isBroken = true;
      causes.find(exchange.requestId, end);
    },
  };
}
