/** Executed transactions, their effects and events, as the RPC tells them. */
import { GrpcTypes } from '@mysten/sui/grpc';
import type { LedgerEvent } from './draft.ts';
import {
  type Executed,
  effectsBytes,
  effectsDigest,
  eventsBytes,
  eventsDigest,
  gasObjectId,
  idOperation,
  type ObjectChange,
} from './executed.ts';
import { failureMessage } from './failure-forms.ts';
import type { Place } from './history.ts';
import { type LedgerObject, objectDigest, packageType } from './objects.ts';
import type { ReadMask } from './read-mask.ts';
import { objectMessage, ownerMessage, timestampMessage } from './wire-objects.ts';
import { transactionMessage } from './wire-transaction.ts';

const {
  ChangedObject_IdOperation: IdOperation,
  ChangedObject_InputObjectState: InputState,
  ChangedObject_OutputObjectState: OutputState,
  UnchangedConsensusObject_UnchangedConsensusObjectKind: UnchangedKind,
} = GrpcTypes;

const effectsVersion = 2;
const idOperations = {
  created: IdOperation.CREATED,
  deleted: IdOperation.DELETED,
  none: IdOperation.NONE,
} as const;

/** The whole message, as far as the mask wants it; a place is known once the checkpoint is closed. */
export function executedMessage(
  executed: Executed,
  options: { readonly place: Place | undefined; readonly mask: ReadMask },
): GrpcTypes.ExecutedTransaction {
  const { place, mask } = options;
  const { transaction, signatures, events } = executed;
  const message: GrpcTypes.ExecutedTransaction = {
    digest: transaction.digest,
    signatures: signatures.map(signatureMessage),
    balanceChanges: executed.balanceChanges.map(({ address, coinType, amount }) => ({
      address,
      coinType,
      amount: String(amount),
    })),
  };
  if (place) {
    message.checkpoint = place.checkpoint;
    message.timestamp = timestampMessage(place.timestampMs);
    message.transactionIndex = BigInt(place.index);
  }
  if (mask.has('transaction')) {
    message.transaction = transactionMessage(transaction, mask.of('transaction'));
  }
  if (mask.has('effects')) message.effects = effectsMessage(executed, mask.of('effects'));
  if (mask.has('events') && events.length > 0) {
    message.events = eventsMessage(executed, mask.of('events'));
  }
  if (mask.has('objects')) message.objects = objectsMessage(executed, mask);
  return message;
}

export function eventMessage(event: LedgerEvent): GrpcTypes.Event {
  const { packageId, module, sender, type, contents } = event;
  return { packageId, module, sender, eventType: type, contents: { name: type, value: contents } };
}

function signatureMessage(value: Uint8Array): GrpcTypes.UserSignature {
  const message = { bcs: { name: 'UserSignatureBytes', value } };
  return { ...message, signature: { oneofKind: undefined } };
}

function eventsMessage(executed: Executed, mask: ReadMask): GrpcTypes.TransactionEvents {
  // Place and index are unset here: the enclosing message has them.
  const message: GrpcTypes.TransactionEvents = { events: executed.events.map(eventMessage) };
  const bytes = mask.has('bcs') ? eventsBytes(executed) : undefined;
  if (bytes) message.bcs = { name: 'TransactionEvents', value: bytes };
  const digest = mask.has('digest') ? eventsDigest(executed) : undefined;
  if (digest !== undefined) message.digest = digest;
  return message;
}

function objectsMessage(executed: Executed, mask: ReadMask): GrpcTypes.ObjectSet {
  const inner = mask.of('objects').of('objects');
  const all = executed.changes.flatMap(({ before, after }) => [before ?? [], after ?? []].flat());
  return { objects: [...all, ...executed.reads].map((object) => objectMessage(object, inner)) };
}

function effectsMessage(executed: Executed, mask: ReadMask): GrpcTypes.TransactionEffects {
  const { epoch, gasUsed, transaction, lamportVersion } = executed;
  const message: GrpcTypes.TransactionEffects = {
    version: effectsVersion,
    status: statusMessage(executed),
    epoch,
    gasUsed,
    transactionDigest: transaction.digest,
    dependencies: [...executed.dependencies],
    lamportVersion,
    changedObjects: mask.has('changed_objects') ? executed.changes.map(changeMessage) : [],
    unchangedConsensusObjects: mask.has('unchanged_consensus_objects')
      ? executed.reads.map(readMessage)
      : [],
    unchangedLoadedRuntimeObjects: [],
  };
  if (mask.has('bcs')) message.bcs = { name: 'TransactionEffects', value: effectsBytes(executed) };
  if (mask.has('digest')) message.digest = effectsDigest(executed);
  const digest = mask.has('events_digest') ? eventsDigest(executed) : undefined;
  if (digest !== undefined) message.eventsDigest = digest;
  const gas = executed.changes.find(({ id }) => id === gasObjectId(executed));
  if (gas && mask.has('gas_object')) message.gasObject = changeMessage(gas);
  return message;
}

function statusMessage({ outcome }: Executed): GrpcTypes.ExecutionStatus {
  if (outcome.kind === 'success') return { success: true };
  return { success: false, error: failureMessage(outcome.failure, outcome.command) };
}

function changeMessage(change: ObjectChange): GrpcTypes.ChangedObject {
  const { id: objectId, before, after } = change;
  return {
    objectId,
    ...inputSide(before),
    ...outputSide(after),
    idOperation: idOperations[idOperation(change)],
    objectType: (after ?? before)?.type ?? '',
  };
}

function inputSide(before: LedgerObject | undefined) {
  if (!before) return { inputState: InputState.DOES_NOT_EXIST };
  return {
    inputState: InputState.EXISTS,
    inputVersion: before.version,
    inputDigest: objectDigest(before),
    inputOwner: ownerMessage(before.owner),
  };
}

function outputSide(after: LedgerObject | undefined) {
  if (!after) return { outputState: OutputState.DOES_NOT_EXIST };
  const isPackage = after.type === packageType;
  return {
    outputState: isPackage ? OutputState.PACKAGE_WRITE : OutputState.OBJECT_WRITE,
    outputVersion: after.version,
    outputDigest: objectDigest(after),
    outputOwner: ownerMessage(after.owner),
  };
}

function readMessage(object: LedgerObject): GrpcTypes.UnchangedConsensusObject {
  return {
    kind: UnchangedKind.READ_ONLY_ROOT,
    objectId: object.id,
    version: object.version,
    digest: objectDigest(object),
    objectType: object.type,
  };
}
