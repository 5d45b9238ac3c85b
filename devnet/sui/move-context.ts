/** What a modelled Move function sees of the world, and the few things that it can do. */
import { type BcsType, bcs } from '@mysten/sui/bcs';
import { normalizeSuiAddress } from '@mysten/sui/utils';
import type { Draft } from './draft.ts';
import { MoveFailure } from './move-failure.ts';
import { balanceOf, coinContents, coinTypeOf } from './objects.ts';

const u64Max = (1n << 64n) - 1n;
const frameworkId = normalizeSuiAddress('0x2');

export type MoveValue =
  | { readonly kind: 'pure'; readonly bytes: Uint8Array }
  | { readonly kind: 'object'; readonly id: string };

export type MoveContext = {
  readonly draft: Draft;
  readonly sender: string;
  readonly epoch: bigint;
  /** A uniformly random u64. */
  readonly drawU64: () => bigint;
  /** The package that first defined the types. */
  readonly definingId: string;
  /** The package that is called: the defining one or an upgrade of it. */
  readonly calledId: string;
  readonly functionName: string;
  readonly usdcType: string;
  readonly values: readonly MoveValue[];
};

/** Ends the call with a code of `atoma::db`. */
export function abort(context: MoveContext, code: number): never {
  const codeBase = 312_012_000n;
  const { definingId: packageId, functionName } = context;
  const place = { packageId, module: 'db', functionName };
  throw new MoveFailure({ kind: 'abort', code: codeBase + BigInt(code), ...place });
}

/** Ends the call as the framework does where a table has no such row. */
export function abortFieldMissing(): never {
  const place = { packageId: frameworkId, module: 'dynamic_field', functionName: 'borrow_child' };
  throw new MoveFailure({ kind: 'abort', code: 1n, ...place });
}

/** The value, unless it leaves the range of a u64. */
export function toU64(value: bigint): bigint {
  if (value < 0n || value > u64Max) throw new MoveFailure({ kind: 'arithmetic' });
  return value;
}

export function objectArgument(context: MoveContext, index: number): string {
  const value = context.values[index];
  if (value?.kind !== 'object') throw mismatch(index, 'type-mismatch');
  return value.id;
}

/** Reads a pure argument, which must be exactly one value of that layout. */
export function pureArgument<T, I>(
  context: MoveContext,
  options: { index: number; layout: BcsType<T, I> },
): T {
  const { index, layout } = options;
  const value = context.values[index];
  if (value?.kind !== 'pure') throw mismatch(index, 'type-mismatch');
  const parsed = parseExact(layout, value.bytes);
  if (parsed === undefined) throw mismatch(index, 'invalid-bcs');
  return parsed;
}

export const u64Argument = (context: MoveContext, index: number): bigint =>
  BigInt(pureArgument(context, { index, layout: bcs.u64() }));

/** Emits an event under its Move name. */
export function emit<T, I>(context: MoveContext, layout: BcsType<T, I>, value: I): void {
  context.draft.emit({
    packageId: context.calledId,
    module: 'db',
    sender: context.sender,
    type: `${context.definingId}::db::${layout.name}`,
    contents: layout.serialize(value).toBytes(),
  });
}

/** Makes a coin for an address. */
export function mint(
  draft: Draft,
  coin: { readonly type: string; readonly owner: string; readonly amount: bigint },
): string {
  const id = draft.freshId();
  draft.write({
    id,
    owner: { kind: 'address', address: coin.owner },
    type: coinTypeOf(coin.type),
    contents: coinContents(id, coin.amount),
    hasPublicTransfer: true,
  });
  return id;
}

/** Adds to or takes from a coin. */
export function changeBalance(draft: Draft, id: string, change: bigint): void {
  const coin = draft.expect(id);
  draft.write({ ...coin, contents: coinContents(id, toU64(balanceOf(coin) + change)) });
}

/** The value whose only encoding these bytes are; nothing for any other bytes. */
export function parseExact<T, I>(layout: BcsType<T, I>, bytes: Uint8Array): T | undefined {
  try {
    const value = layout.parse(bytes);
    // What was parsed is also a valid input of the same layout, which its type cannot say.
    const again = Reflect.apply(layout.serialize, layout, [value]).toBytes();
    return Buffer.from(bytes).equals(again) ? value : undefined;
  } catch {
    return undefined;
  }
}

const mismatch = (index: number, problem: 'type-mismatch' | 'invalid-bcs') =>
  new MoveFailure({ kind: 'argument', index, problem });
