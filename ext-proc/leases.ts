/** Keeps the leases of open exchanges alive: one timer for all, and one pipelined batch a tick. */

import type { Exchange } from '../domain/exchange.ts';
import type { Ledger, UnitPool } from '../domain/reservation.ts';
import type { Logger } from '../runtime/log.ts';

/** A lease is renewed this many times before it would run out. */
const renewalsPerLease = 3;

export function createLeases(options: {
  readonly ledger: Ledger;
  readonly units: UnitPool;
  readonly leaseMs: number;
  readonly log: Logger;
}) {
  const { ledger, units, leaseMs, log } = options;
  const open = new Map<string, Exchange>();

  async function renew({ requestId, accountId, model, units: held }: Exchange): Promise<void> {
    try {
      // Calls of one tick leave the Redis client in one write.
      const [isOpen] = await Promise.all([
        ledger.renew({ accountId, requestId, leaseMs }),
        held > 0 ? units.renew({ requestId, model, leaseMs }) : true,
      ]);
      if (!isOpen && open.has(requestId)) log.warn({ requestId }, 'the reservation is not open');
    } catch (cause) {
      log.warn({ err: cause, requestId }, 'a lease could not be renewed');
    }
  }

  const timer = setInterval(() => {
    for (const exchange of open.values()) void renew(exchange);
  }, leaseMs / renewalsPerLease);

  return {
    add: (exchange: Exchange): void => void open.set(exchange.requestId, exchange),
    remove: (exchange: Exchange): void => void open.delete(exchange.requestId),
    count: (): number => open.size,
    close: (): void => clearInterval(timer),
  };
}

export type Leases = ReturnType<typeof createLeases>;
