/** A lease over Redis: one key that lapses, and a counter of the tokens that were given. */
import type { LeaseStore } from '../chain/lease.ts';
import type { Redis } from './redis.ts';
import { maybeTextFrom } from './reply.ts';
import { scripts } from './script.ts';

/** The keys share one hash tag. */
export function createLeaseStore(options: {
  redis: Redis;
  keys: { readonly lease: string; readonly fence: string };
}): LeaseStore {
  const { redis } = options;
  const keys = [options.keys.lease, options.keys.fence];
  return {
    async acquire(leaseMs) {
      const reply = await scripts.leaseAcquire(redis, { keys, args: [`${leaseMs}`] });
      const token = maybeTextFrom(reply);
      return token === undefined ? undefined : { token };
    },

    async renew({ token }, leaseMs) {
      return (await scripts.leaseRenew(redis, { keys, args: [token, `${leaseMs}`] })) === 1;
    },

    async release({ token }) {
      await scripts.leaseRelease(redis, { keys: keys.slice(0, 1), args: [token] });
    },
  };
}
