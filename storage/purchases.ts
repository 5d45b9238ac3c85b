/**
 * Whether a coin of a treasury lies at a stack owner's address, or may come there: what callers choose is not signed
 * meanwhile. Read from the keeper's own record, which stands before anything is sent, and until it is known what became of it.
 */
import { operationFromJson } from '../chain/keeper/codec.ts';
import { parseSuiAddress } from '../domain/chain-ids.ts';
import { spendersKey, type TreasuryId, treasuryKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { maybeTextFrom, textsFrom } from './reply.ts';

/** Tells that this treasury sends coins to that stack owner; to be said before the first is sent. */
export async function addSpender(
  redis: Redis,
  options: { readonly stackOwner: string; readonly treasury: TreasuryId },
): Promise<void> {
  const { chainId, address } = options.treasury;
  const key = spendersKey(options.stackOwner);
  await redis.send(key, ['SADD', key, `${chainId}:${address}`]);
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
      const spenders = textsFrom(await redis.send(key, ['SMEMBERS', key])).map(treasuryFrom);
      return (await Promise.all(spenders.map(isBusy))).includes(true);
    },
  };
}

function treasuryFrom(text: string): TreasuryId {
  const end = text.lastIndexOf(':');
  const address = parseSuiAddress(text.slice(end + 1));
  if (!address) throw new TypeError(`expected a treasury, got "${text}"`);
  return { chainId: text.slice(0, end), address };
}
