/** Ends the reservation of an exchange: hands the final charge to the settlement queue and counts it. */
import type { Evidence } from '../../domain/evidence.ts';
import type { Charge } from '../../domain/metering.ts';
import type { createExchangeMetrics } from '../../runtime/metrics.ts';
import type { ExchangeContext, ExtProcPlugin, Outcome } from '../plugin.ts';
import type { SettlementJob, Settlements } from '../settlement.ts';

/** For graphs only, hence a float. */
const picoPerMicro = 1e6;

export type ExchangeMetrics = ReturnType<typeof createExchangeMetrics>;

export function createSettle(options: {
  readonly settlements: Settlements;
  readonly metrics: ExchangeMetrics;
  readonly nowMs: () => number;
}): ExtProcPlugin {
  const { settlements, metrics, nowMs } = options;
  return {
    name: 'settle',
    hooks: { request: 'headers' },
    begin: (context) => ({
      end(outcome) {
        const timeMs = nowMs();
        settlements.submit(toJob(context, outcome, timeMs));
        count(metrics, context, outcome);
        metrics.durationSeconds.observe(
          { model: context.exchange.model },
          Math.max(0, timeMs - context.exchange.startedMs) / 1000,
        );
      },
    }),
  };
}

function toJob(context: ExchangeContext, outcome: Outcome, timeMs: number): SettlementJob {
  const { exchange } = context;
  const node = context.node();
  const { charge } = outcome;
  return {
    kind: charge.kind,
    order: {
      requestId: exchange.requestId,
      accountId: exchange.accountId,
      cost: charge.cost,
      record: {
        timeMs,
        requestId: exchange.requestId,
        keyId: exchange.keyId,
        model: exchange.model,
        endpoint: exchange.endpoint,
        nodeId: node.id,
        priceVersion: exchange.price.version,
        usage: charge.usage,
        estimated: charge.estimated,
        status: outcome.status,
        ending: outcome.ending,
      },
      evidence: evidenceOf(context, outcome),
    },
    unitsHeld: exchange.units,
    unitsUsed: Math.min(unitsOf(charge), exchange.units),
    stackId: node.stackId === '' ? undefined : node.stackId,
  };
}

/** What the receipt tells; only what is charged has one. */
function evidenceOf(
  { exchange, tally }: ExchangeContext,
  { charge, bytes }: Outcome,
): Evidence | undefined {
  if (charge.kind === 'release' || !bytes) return undefined;
  const { startedMs, reserved } = exchange;
  return { startedMs, reserved, ...bytes, nodeSignature: tally.signature };
}

/** A stack pays one unit a token, and one a pixel. */
const unitsOf = ({ usage }: Charge) => usage.inputTokens + usage.outputTokens + usage.imagePixels;

function count(metrics: ExchangeMetrics, context: ExchangeContext, outcome: Outcome): void {
  const { model } = context.exchange;
  const { usage, cost, estimated } = outcome.charge;
  metrics.ended.inc({ model, ending: outcome.ending });
  const tokens = (kind: string, amount: number) =>
    metrics.tokens.inc({ model, gen_ai_token_type: kind }, amount);
  tokens('input', usage.inputTokens - usage.cachedInputTokens);
  tokens('cached_input', usage.cachedInputTokens);
  tokens('output', usage.outputTokens);
  metrics.chargedMicroUsd.inc({ model }, Number(cost) / picoPerMicro);
  if (estimated && outcome.ending === 'completed') {
    const reason = context.tally.reported === 'absent' ? 'usage-absent' : 'usage-implausible';
    metrics.suspectNodes.inc({ node: context.node().id, reason });
    context.log.warn({ node: context.node().id, reason }, 'charged by the own count');
  }
}
