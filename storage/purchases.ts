/**
 * Whether a coin of a treasury lies at a stack owner's address, or may come there: what callers choose is not signed
 * meanwhile. Read from the keeper's own record, which stands before anything is sent, and until it is known what became of it.
 */
import { operationFromJson } from '../chain/keeper/codec.ts';
import {
  spendersKey,
  type TreasuryId,
  treasuryFromText,
  treasuryKeys,
  treasuryToText,
} from './keys.ts';
import type { Redis } from './redis.ts';
import { maybeTextFrom, textsFrom } from './reply.ts';

/** Tells that this treasury sends coins to that stack owner; to be said before the first is sent. */
export async function addSpender(
  redis: Redis,
  options: { readonly stackOwner: string; readonly treasury: TreasuryId },
): Promise<void> {
  const key = spendersKey(options.stackOwner);
  await redis.send(key, ['SADD', key, treasuryToText(options.treasury)]);
}

export type Purchases = { isUnderWay(stackOwner: string): Promise<boolean> };

export function createPurchases(redis: Redis): Purchases {
  async function isBusy(treasury: TreasuryId): Promise<boolean> {
    const { operation: key } = treasuryKeys(treasury);
    const json = maybeTextFrom(await redis.send(key, ['HGET', key, 'json']));
    const operation = json === undefined ? undefined : operationFromJson(json);
    // What the treasury pays out never comes to the stack owner.
    return operation !== undefined && operation.kind !== 'withdrawing';
  }
  return {
    async isUnderWay(stackOwner) {
      const key = spendersKey(stackOwner);
      const spenders = textsFrom(await redis.send(key, ['SMEMBERS', key])).map(treasuryFromText);
      return (await Promise.all(spenders.map(isBusy))).includes(true);
    },
  };
}
