/** Objects as the RPC tells them. Digests and BCS are worked out only where the mask wants them. */
import { GrpcTypes } from '@mysten/sui/grpc';
import {
  balanceOf,
  coinOf,
  type LedgerObject,
  type Owner,
  objectBytes,
  objectDigest,
  packageType,
} from './objects.ts';
import type { ReadMask } from './read-mask.ts';

const { Owner_OwnerKind: Kind } = GrpcTypes;

export function objectMessage(object: LedgerObject, mask: ReadMask): GrpcTypes.Object {
  const { id: objectId, version, owner, type: objectType, hasPublicTransfer } = object;
  const message: GrpcTypes.Object = {
    objectId,
    version,
    owner: ownerMessage(owner),
    objectType,
    previousTransaction: object.previousTransaction,
    storageRebate: object.storageRebate,
  };
  if (mask.has('digest')) message.digest = objectDigest(object);
  if (mask.has('bcs')) message.bcs = { name: 'Object', value: objectBytes(object) };
  if (objectType === packageType) return message;
  message.hasPublicTransfer = hasPublicTransfer;
  message.contents = { name: objectType, value: object.contents };
  if (coinOf(objectType) !== undefined) message.balance = balanceOf(object);
  return message;
}

export function ownerMessage(owner: Owner): GrpcTypes.Owner {
  switch (owner.kind) {
    case 'address':
      return { kind: Kind.ADDRESS, address: owner.address };
    case 'object':
      return { kind: Kind.OBJECT, address: owner.id };
    case 'shared':
      return { kind: Kind.SHARED, version: owner.initialVersion };
    case 'immutable':
      return { kind: Kind.IMMUTABLE };
  }
}

export function timestampMessage(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.floor(ms - seconds * 1000) * 1_000_000 };
}
