/**
 * Whether a coin of the treasury lies at the stack owner's address, or may come there: what callers choose is not signed meanwhile. The
 * keeper says so, every signer asks.
 */
import { purchaseKey } from './keys.ts';
import type { Redis } from './redis.ts';

export type PurchaseNotice = {
  /** Tells all processes, before a coin can come to the stack owner. */
  raise(stackOwner: string): Promise<void>;
  /** The coin is gone, or none ever came. */
  lower(stackOwner: string): Promise<void>;
  isRaised(stackOwner: string): Promise<boolean>;
};

/** Whether a purchase is under way, by the stack owner's address. */
export function createPurchaseNotice(redis: Redis): PurchaseNotice {
  return {
    async raise(stackOwner) {
      const key = purchaseKey(stackOwner);
      await redis.send(key, ['SET', key, '1']);
    },
    async lower(stackOwner) {
      const key = purchaseKey(stackOwner);
      await redis.send(key, ['DEL', key]);
    },
    async isRaised(stackOwner) {
      const key = purchaseKey(stackOwner);
      return (await redis.send(key, ['EXISTS', key])) === 1;
    },
  };
}
