/** Every metric of the gateway, in one place; the README of this folder explains each. Labels are bounded sets. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** A registry with the process metrics (memory, CPU, event loop) and an empty set of ours. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}

const secondsBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
];

/** Metrics of ext-authz. */
export function createAdmissionMetrics(registry: Registry) {
  const registers = [registry];
  return {
    decisions: new Counter({
      name: 'atoma_admission_decisions_total',
      help: 'Decisions by outcome: "admitted", "authenticated", "cancelled" or the kind of failure.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    seconds: new Histogram({
      name: 'atoma_admission_seconds',
      help: 'Time to decide, Redis included.',
      buckets: secondsBuckets,
      registers,
    }),
    clientRetries: new Counter({
      name: 'atoma_client_retries_total',
      help: 'Requests that an SDK marked as a retry (x-stainless-retry-count above 0).',
      registers,
    }),
  };
}

/** Metrics of ext-proc. Token counters follow the OpenTelemetry GenAI names. */
export function createExchangeMetrics(registry: Registry) {
  const registers = [registry];
  return {
    open: new Gauge({
      name: 'atoma_exchanges_open',
      help: 'Exchanges that are admitted and have not ended.',
      registers,
    }),
    ended: new Counter({
      name: 'atoma_exchanges_ended_total',
      help: 'Exchanges by model and how they ended.',
      labelNames: ['model', 'ending'] as const,
      registers,
    }),
    tokens: new Counter({
      name: 'gen_ai_client_token_usage',
      help: 'Tokens charged, by model and gen_ai_token_type (input, cached_input, output).',
      labelNames: ['model', 'gen_ai_token_type'] as const,
      registers,
    }),
    chargedMicroUsd: new Counter({
      name: 'atoma_charged_micro_usd_total',
      help: 'Money charged, in micro-dollars, by model. The ledger is exact, this is for graphs.',
      labelNames: ['model'] as const,
      registers,
    }),
    firstTokenSeconds: new Histogram({
      name: 'gen_ai_server_time_to_first_token_seconds',
      help: 'From admission to the first bytes of the answer, by model.',
      labelNames: ['model'] as const,
      buckets: secondsBuckets,
      registers,
    }),
    durationSeconds: new Histogram({
      name: 'gen_ai_server_request_duration_seconds',
      help: 'From admission to the end of the exchange, by model.',
      labelNames: ['model'] as const,
      buckets: secondsBuckets,
      registers,
    }),
    suspectNodes: new Counter({
      name: 'atoma_node_reports_refused_total',
      help: 'Answers whose usage or signature was not believed, by node and reason.',
      labelNames: ['node', 'reason'] as const,
      registers,
    }),
    repeatedNonces: new Counter({
      name: 'atoma_sealed_nonces_repeated_total',
      help: 'Events of sealed answers under a nonce that had been used before, by node.',
      labelNames: ['node'] as const,
      registers,
    }),
    refusals: new Counter({
      name: 'atoma_node_refusals_total',
      help: 'Attempts at which a node refused the gateway, by node and reason.',
      labelNames: ['node', 'reason'] as const,
      registers,
    }),
    settleRetries: new Counter({
      name: 'atoma_settle_retries_total',
      help: 'Settlements repeated because the ledger could not be reached.',
      registers,
    }),
    reconciled: new Counter({
      name: 'atoma_reconciled_total',
      help: 'Reservations that the access log found open and ended.',
      registers,
    }),
    swept: new Counter({
      name: 'atoma_swept_total',
      help: 'Reservations that ran past their lease and were expired.',
      registers,
    }),
    lateSettlements: new Counter({
      name: 'atoma_late_settlements_total',
      help: 'Settlements that came after the reservation had ended: delivered, but not charged.',
      registers,
    }),
  };
}

/** Metrics of the control plane. */
export function createFleetMetrics(registry: Registry) {
  const registers = [registry];
  return {
    streams: new Gauge({
      name: 'atoma_xds_streams',
      help: 'Open configuration streams to Envoys.',
      registers,
    }),
    acks: new Counter({
      name: 'atoma_xds_acks_total',
      help: 'Configurations that an Envoy accepted, by resource type.',
      labelNames: ['type'] as const,
      registers,
    }),
    nacks: new Counter({
      name: 'atoma_xds_nacks_total',
      help: 'Configurations that an Envoy refused, by resource type.',
      labelNames: ['type'] as const,
      registers,
    }),
    nodes: new Gauge({
      name: 'atoma_fleet_nodes',
      help: 'Nodes that discovery knows.',
      registers,
    }),
    models: new Gauge({
      name: 'atoma_fleet_models',
      help: 'Models on offer, by whether they can be called.',
      labelNames: ['state'] as const,
      registers,
    }),
    discoveryFailures: new Counter({
      name: 'atoma_discovery_failures_total',
      help: 'Times that a discovery source could not be read; the last good fleet stays.',
      labelNames: ['source'] as const,
      registers,
    }),
    freeUnits: new Gauge({
      name: 'atoma_stack_units_free',
      help: 'Prepaid compute units left, by model.',
      labelNames: ['model'] as const,
      registers,
    }),
    refusedUnits: new Gauge({
      name: 'atoma_stack_units_refused',
      help: 'Prepaid compute units left in stacks that their nodes refuse, by model.',
      labelNames: ['model'] as const,
      registers,
    }),
  };
}

/** Metrics of whoever follows the chain. */
export function createChainMetrics(registry: Registry) {
  const registers = [registry];
  return {
    height: new Gauge({
      name: 'atoma_chain_height',
      help: 'The last checkpoint whose events have been taken in.',
      registers,
    }),
    lag: new Gauge({
      name: 'atoma_chain_lag_checkpoints',
      help: 'Checkpoints that the full node has and that are not taken in yet, when last asked.',
      registers,
    }),
    reachable: new Gauge({
      name: 'atoma_chain_reachable',
      help: '1 while the full node and the records of the chain answer, else 0.',
      registers,
    }),
    state: new Gauge({
      name: 'atoma_chain_state',
      help: '1 for the state that following is in (starting, following, pruned, halted), else 0.',
      labelNames: ['state'] as const,
      registers,
    }),
    alarms: new Gauge({
      name: 'atoma_chain_alarms',
      help: 'Alarms on record, by kind (poison, gap, jump, upgrade).',
      labelNames: ['kind'] as const,
      registers,
    }),
    nodes: new Gauge({
      name: 'atoma_chain_nodes',
      help: 'Nodes of the contract, by whether they can get requests (routable, unroutable).',
      labelNames: ['state'] as const,
      registers,
    }),
  };
}

/** Metrics of whoever buys stacks. */
export function createTreasuryMetrics(registry: Registry) {
  const registers = [registry];
  return {
    usdc: new Gauge({
      name: 'atoma_treasury_micro_usdc',
      help: 'What the treasury has, in millionths of a USDC, when last asked.',
      registers,
    }),
    mist: new Gauge({
      name: 'atoma_treasury_mist',
      help: 'What the treasury has for gas, in MIST, when last asked.',
      registers,
    }),
    spentDay: new Gauge({
      name: 'atoma_treasury_spent_day_micro_usdc',
      help: 'What stacks have cost over the last day, in millionths of a USDC.',
      registers,
    }),
    isLow: new Gauge({
      name: 'atoma_treasury_low',
      help: '1 while the treasury has too little for the next purchase or its gas, else 0.',
      registers,
    }),
    unmet: new Gauge({
      name: 'atoma_stack_runway_short',
      help: 'Tasks whose stacks do not last as long as they should, by what hinders buying.',
      labelNames: ['obstacle'] as const,
      registers,
    }),
    overClaimedUnits: new Gauge({
      name: 'atoma_stack_units_over_claimed',
      help: 'Units that nodes claimed and we did not use, over all claims.',
      registers,
    }),
  };
}
