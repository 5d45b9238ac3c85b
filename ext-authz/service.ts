/** Puts the parts of one admission service together and listens; what differs between replicas comes in as options. */
import type { ApiKey } from '../domain/api-key.ts';
import type { Ledger, UnitPool } from '../domain/reservation.ts';
import type { HostPort } from '../runtime/config.ts';
import { type GrpcServer, startGrpcServer } from '../runtime/grpc-server.ts';
import type { Logger } from '../runtime/log.ts';
import type { createAdmissionMetrics } from '../runtime/metrics.ts';
import type { NodeLocks } from '../storage/node-locks.ts';
import { createAnswering } from './answering.ts';
import type { CatalogueView } from './catalogue-view.ts';
import { createDecide } from './decision.ts';
import { createHolding } from './hold.ts';
import { createKeyCheck } from './key-check.ts';
import { createLockCheck } from './lock-check.ts';
import type { AdmissionStep } from './plugin.ts';
import { createQuoting, type SignBody } from './quote.ts';
import { createSealedQuoting } from './sealed-quote.ts';
import { addAuthorization, checkOverheadBytes } from './server.ts';

const drainMs = 5000;

export type ServiceOptions = {
  readonly listen: HostPort;
  readonly bodyBytesMax: number;
  readonly leaseMs: number;
  readonly ledger: Ledger;
  readonly unitPool: UnitPool;
  readonly findKey: (hash: string) => ApiKey | undefined | Promise<ApiKey | undefined>;
  readonly catalogue: CatalogueView;
  /** Nothing where the gateway has no stack-owner key. */
  readonly signBody: SignBody | undefined;
  /** The same for hashes that callers choose. */
  readonly signSealed: ((hash: Uint8Array) => string) | undefined;
  readonly locks: NodeLocks;
  /** Whether nothing of a caller's choice may be signed now. */
  readonly isPurchasing: () => Promise<boolean>;
  readonly steps: readonly AdmissionStep[];
  readonly nowMs: () => number;
  readonly log: Logger;
  readonly metrics: ReturnType<typeof createAdmissionMetrics>;
};

/** Closing waits for open calls first, then for what they left held. */
export async function startService(options: ServiceOptions): Promise<GrpcServer> {
  const { listen, bodyBytesMax, nowMs, log } = options;
  const holding = createHolding(options);
  const decide = createDecide({
    checkKey: createKeyCheck({ find: options.findKey, nowMs }),
    quote: createQuoting(options),
    quoteSealed: createSealedQuoting(options),
    locks: createLockCheck(options),
    signSealed: options.signSealed,
    steps: options.steps,
    hold: holding.hold,
    leaseMs: options.leaseMs,
    nowMs,
  });
  const answer = createAnswering({ decide, metrics: options.metrics, log });
  const server = await startGrpcServer({
    listen,
    messageBytesMax: bodyBytesMax + checkOverheadBytes,
    drainMs,
    register: (grpc) => addAuthorization(grpc, answer),
  });
  return {
    port: server.port,
    async close() {
      await server.close();
      await holding.close();
    },
  };
}
