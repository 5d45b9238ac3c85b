/** A transaction after its execution: what it changed, what it cost, and its effects in BCS. */
import { bcs } from '@mysten/sui/bcs';
import type { Outcome } from './commands.ts';
import { digestOf, memoized } from './digest.ts';
import type { LedgerEvent } from './draft.ts';
import { failureBcs } from './failure-forms.ts';
import { type LedgerObject, objectDigest, ownerBcs, packageType, structTag } from './objects.ts';
import type { ParsedTransaction } from './transaction-data.ts';

export type ObjectChange = {
  readonly id: string;
  readonly before: LedgerObject | undefined;
  readonly after: LedgerObject | undefined;
};

export type GasUsed = {
  readonly computationCost: bigint;
  readonly storageCost: bigint;
  readonly storageRebate: bigint;
  readonly nonRefundableStorageFee: bigint;
};

export type BalanceChange = {
  readonly address: string;
  readonly coinType: string;
  readonly amount: bigint;
};

export type Executed = {
  readonly transaction: ParsedTransaction;
  readonly signatures: readonly Uint8Array[];
  readonly epoch: bigint;
  readonly outcome: Outcome;
  readonly gasUsed: GasUsed;
  readonly lamportVersion: bigint;
  readonly changes: readonly ObjectChange[];
  /** Shared objects that were only read. */
  readonly reads: readonly LedgerObject[];
  readonly events: readonly LedgerEvent[];
  readonly balanceChanges: readonly BalanceChange[];
  readonly dependencies: readonly string[];
};

const eventLayout = bcs.struct('Event', {
  packageId: bcs.Address,
  module: bcs.string(),
  sender: bcs.Address,
  type: bcs.StructTag,
  contents: bcs.byteVector(),
});
const eventsLayout = bcs.struct('TransactionEvents', { data: bcs.vector(eventLayout) });

/** The object that paid, if one did. */
export const gasObjectId = ({ transaction }: Executed): string | undefined =>
  transaction.gas.payment[0]?.objectId;

/** The events in BCS; nothing where there are none. */
export const eventsBytes = memoized(({ events }: Executed): Uint8Array | undefined => {
  if (events.length === 0) return undefined;
  const data = events.map((event) => ({ ...event, type: structTag(event.type) }));
  return eventsLayout.serialize({ data }).toBytes();
});

export const eventsDigest = memoized((executed: Executed): string | undefined => {
  const bytes = eventsBytes(executed);
  return bytes && digestOf('TransactionEvents', bytes);
});

export const effectsBytes = memoized((executed: Executed) => {
  const { outcome, epoch, gasUsed, transaction, changes, reads } = executed;
  const gasIndex = changes.findIndex(({ id }) => id === gasObjectId(executed));
  const status =
    outcome.kind === 'success'
      ? ({ Success: true } as const)
      : { Failure: { error: failureBcs(outcome.failure), command: outcome.command ?? null } };
  return bcs.TransactionEffects.serialize({
    V2: {
      status,
      executedEpoch: epoch,
      gasUsed,
      transactionDigest: transaction.digest,
      gasObjectIndex: gasIndex < 0 ? null : gasIndex,
      eventsDigest: eventsDigest(executed) ?? null,
      dependencies: executed.dependencies,
      lamportVersion: executed.lamportVersion,
      changedObjects: changes.map((change) => [change.id, changeBcs(change)] as const),
      unchangedConsensusObjects: reads.map(
        (object) =>
          [object.id, { ReadOnlyRoot: [object.version, objectDigest(object)] as const }] as const,
      ),
      auxDataDigest: null,
    },
  }).toBytes();
});

export const effectsDigest = memoized((executed: Executed) =>
  digestOf('TransactionEffects', effectsBytes(executed)),
);

/** Created, deleted, or neither. */
export function idOperation({ before, after }: ObjectChange): 'created' | 'deleted' | 'none' {
  if (!before) return 'created';
  return after ? 'none' : 'deleted';
}

function changeBcs(change: ObjectChange) {
  const { before, after } = change;
  const operations = {
    created: { Created: true },
    deleted: { Deleted: true },
    none: { None: true },
  } as const;
  return {
    inputState: before
      ? { Exist: [[before.version, objectDigest(before)], ownerBcs(before.owner)] as const }
      : ({ NotExist: true } as const),
    outputState: after ? outputBcs(after) : ({ NotExist: true } as const),
    idOperation: operations[idOperation(change)],
  };
}

function outputBcs(after: LedgerObject) {
  const digest = objectDigest(after);
  if (after.type === packageType) return { PackageWrite: [after.version, digest] as const };
  return { ObjectWrite: [digest, ownerBcs(after.owner)] as const };
}
