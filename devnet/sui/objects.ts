/** Objects of the ledger: who owns them, their bytes, and coins, the one type that the ledger itself understands. */
import { bcs, TypeTagSerializer } from '@mysten/sui/bcs';
import { normalizeStructTag, toBase58 } from '@mysten/sui/utils';
import { digestOf, memoized } from './digest.ts';

export type Owner =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'object'; readonly id: string }
  | { readonly kind: 'shared'; readonly initialVersion: bigint }
  | { readonly kind: 'immutable' };

/** An object without what only the end of a transaction decides. */
export type DraftObject = {
  readonly id: string;
  readonly owner: Owner;
  /** The full normalised type, or `package`. */
  readonly type: string;
  readonly contents: Uint8Array;
  readonly hasPublicTransfer: boolean;
};

export type LedgerObject = DraftObject & {
  readonly version: bigint;
  readonly previousTransaction: string;
  readonly storageRebate: bigint;
};

/** The digest of nothing: of what no transaction made. */
export const noDigest = toBase58(new Uint8Array(32));
export const packageType = 'package';
export const suiType = normalizeStructTag('0x2::sui::SUI');

const coinLayout = bcs.struct('Coin', { id: bcs.Address, balance: bcs.u64() });
const coinPrefix = normalizeStructTag('0x2::coin::Coin<u8>').replace('<u8>', '<');

/** The object's BCS as a validator stores it. */
export const objectBytes = memoized((object: LedgerObject) =>
  bcs.Object.serialize({
    data:
      object.type === packageType ? { Package: packageData(object) } : { Move: moveData(object) },
    owner: ownerBcs(object.owner),
    previousTransaction: object.previousTransaction,
    storageRebate: object.storageRebate,
  }).toBytes(),
);

export const objectDigest = memoized((object: LedgerObject) =>
  digestOf('Object', objectBytes(object)),
);

/** The owner in the form that the SDK serialises. */
export function ownerBcs(owner: Owner) {
  switch (owner.kind) {
    case 'address':
      return { AddressOwner: owner.address };
    case 'object':
      return { ObjectOwner: owner.id };
    case 'shared':
      return { Shared: { initialSharedVersion: owner.initialVersion } };
    case 'immutable':
      return { Immutable: true } as const;
  }
}

export const coinTypeOf = (coin: string) => `${coinPrefix}${normalizeStructTag(coin)}>`;

/** What a coin object is a coin of; nothing where it is no coin. */
export function coinOf(type: string): string | undefined {
  return type.startsWith(coinPrefix) ? type.slice(coinPrefix.length, -1) : undefined;
}

export const balanceOf = (coin: DraftObject) => BigInt(coinLayout.parse(coin.contents).balance);

export const coinContents = (id: string, balance: bigint) =>
  coinLayout.serialize({ id, balance }).toBytes();

function moveData(object: LedgerObject) {
  return {
    type: moveType(object.type),
    hasPublicTransfer: object.hasPublicTransfer,
    version: object.version,
    contents: object.contents,
  };
}

function moveType(type: string) {
  const coin = coinOf(type);
  if (coin === suiType) return { GasCoin: true } as const;
  if (coin !== undefined) return { Coin: coin };
  return { Other: structTag(type) };
}

/** A struct type in the form that the SDK serialises. */
export function structTag(type: string) {
  const tag = TypeTagSerializer.parseFromStr(type, true);
  if (!('struct' in tag)) throw new Error(`${type} is not a struct`);
  return tag.struct;
}

function packageData(object: LedgerObject) {
  return {
    id: object.id,
    version: object.version,
    moduleMap: new Map<string, Uint8Array>(),
    typeOriginTable: [],
    linkageTable: new Map(),
  };
}
