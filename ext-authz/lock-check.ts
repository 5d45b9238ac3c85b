/** Whether a sealed request has a lock that it may use, and whether what its caller chose may be signed now. */
import type { Failure } from '../domain/failure.ts';
import type { NodeLock } from '../domain/node-lock.ts';
import type { NodeLocks, SealedRequest } from '../storage/node-locks.ts';

export type LockCheck = {
  /** The lock, which stays. */
  find(request: SealedRequest): Promise<NodeLock | Failure>;
  /** Uses the lock up; a failure where another request has done so meanwhile. */
  use(request: SealedRequest): Promise<Failure | undefined>;
};

const missing: Failure = { kind: 'lock-missing' };
/** A purchase takes a second or two. The lock stays, so that clients may repeat the same request. */
const purchasing: Failure = { kind: 'gateway-unavailable', retryAfterMs: 1000 };

export function createLockCheck(options: {
  readonly locks: NodeLocks;
  /** Whether a coin of the treasury is, or may come to be, at the mercy of the key that signs. */
  readonly isPurchasing: () => Promise<boolean>;
}): LockCheck {
  const { locks, isPurchasing } = options;
  return {
    async find(request) {
      const [lock, isKeyInUse, isHeldBack] = await Promise.all([
        locks.find(request),
        locks.isKeyInUse(request.terms.sealingKey),
        // After the whole request has come: what it wants signed cannot depend on a coin that comes later.
        isPurchasing(),
      ]);
      if (!lock || !isKeyInUse) return missing;
      return isHeldBack ? purchasing : lock;
    },
    use: async (request) => ((await locks.take(request)) ? undefined : missing),
  };
}
