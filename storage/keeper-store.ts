/**
 * What the keeper of stacks keeps, over Redis: the operation under way, the ended ones and the state of the withdrawal that
 * either is about, changed by one script.
 */
import {
  endedFromJson,
  endedToJson,
  operationFromJson,
  operationToJson,
} from '../chain/keeper/codec.ts';
import type { EndedOperation, Operation } from '../chain/keeper/operation.ts';
import type { KeeperStore } from '../chain/keeper/store.ts';
import type { Withdrawal, WithdrawalState } from '../domain/withdrawal.ts';
import { withdrawalStateToText } from './codecs.ts';
import { type TreasuryId, treasuryKeys } from './keys.ts';
import { createLeaseStore } from './lease-store.ts';
import { addSpender } from './purchases.ts';
import type { Redis } from './redis.ts';
import { listFrom, maybeTextFrom, textsFrom } from './reply.ts';
import { scripts } from './script.ts';

/** The records of one treasury. */
export function createKeeperStore({
  redis,
  ...treasury
}: TreasuryId & { readonly redis: Redis }): KeeperStore {
  const keys = treasuryKeys(treasury);
  const { fence, operation: operationKey, ended: endedKey } = keys;
  return {
    ...createLeaseStore({ redis, keys }),

    announce: (stackOwner) => addSpender(redis, { stackOwner, treasury }),

    async load(sinceMs) {
      // The operation first: what ends between the two reads makes the revision stale, never the budget too large.
      const fields = await redis.send(operationKey, ['HMGET', operationKey, 'json', 'revision']);
      const [json, revision = '0'] = listFrom(fields).map(maybeTextFrom);
      const range = ['ZRANGEBYSCORE', endedKey, String(sinceMs), '+inf'];
      const ended = textsFrom(await redis.send(endedKey, range));
      return {
        operation: json === undefined ? undefined : operationFromJson(json),
        revision: Number(revision),
        ended: ended.map(endedFromJson),
      };
    },

    async commit({ token }, { revision, operation, ended }) {
      const reply = await scripts.keeperCommit(redis, {
        keys: [fence, operationKey, endedKey],
        args: [
          token,
          String(revision),
          operationToJson(operation),
          ended === undefined ? '' : String(ended.endedMs),
          ended === undefined ? '' : endedToJson(ended),
          keys.treasury,
          ...withdrawalBy({ operation, ended }),
        ],
      });
      return reply === 'fenced' || reply === 'stale' ? reply : 'committed';
    },
  };
}

type Change = {
  readonly operation: Operation | undefined;
  readonly ended: EndedOperation | undefined;
};

/** The reference of the withdrawal that the change is about, and its state from then on; empty texts where there is none. */
function withdrawalBy({ operation, ended }: Change): readonly [string, string] {
  if (operation?.kind === 'withdrawing') return textsOf(operation, { kind: 'paying' });
  if (ended?.kind === 'paid') return textsOf(ended, { kind: 'paid', digest: ended.digest });
  if (ended?.kind === 'not-paid') return textsOf(ended, { kind: 'queued' });
  return ['', ''];
}

const textsOf = (
  { withdrawal }: { readonly withdrawal: Withdrawal },
  state: WithdrawalState,
): readonly [string, string] => [withdrawal.reference, withdrawalStateToText(state)];
