/** Runs the commands of a programmable transaction over a draft, by Sui's rules of what may be used where and how. */
import { bcs } from '@mysten/sui/bcs';
import { normalizeStructTag, normalizeSuiAddress } from '@mysten/sui/utils';
import { moveFunctions, objectWanted, type Parameter } from './atoma-module.ts';
import type { Draft } from './draft.ts';
import { changeBalance, type MoveValue, mint, parseExact, toU64 } from './move-context.ts';
import { type ArgumentProblem, type ExecutionFailure, MoveFailure } from './move-failure.ts';
import { balanceOf, coinOf, coinTypeOf, type DraftObject } from './objects.ts';
import type {
  ParsedTransaction,
  TransactionArgument,
  TransactionCommand,
  TransactionInput,
} from './transaction-data.ts';

export const randomId = normalizeSuiAddress('0x8');
const randomType = normalizeStructTag('0x2::random::Random');

/** A published `atoma` package: upgrades share the defining id. */
export type Deployment = {
  readonly packageId: string;
  readonly definingId: string;
  readonly version: bigint;
  readonly usdcType: string;
};

export type CommandWorld = {
  readonly draft: Draft;
  readonly epoch: bigint;
  readonly drawU64: () => bigint;
  readonly deployment: (packageId: string) => Deployment | undefined;
};

export type Outcome =
  | { readonly kind: 'success' }
  | {
      readonly kind: 'failure';
      readonly failure: ExecutionFailure;
      readonly command: number | undefined;
    };

type Slot = {
  readonly value: MoveValue;
  readonly access: 'owned' | 'shared-mutable' | 'read' | 'gas';
  isUsedUp: boolean;
  /** Made by a command, and so to be put somewhere before the end. */
  readonly isMade: boolean;
};

type Frame = CommandWorld & {
  readonly sender: string;
  readonly inputs: readonly Slot[];
  readonly gas: Slot | undefined;
  readonly results: Slot[][];
};

/** Runs all commands; what they changed is in the draft, which a failure leaves to be thrown away. */
export function runCommands(transaction: ParsedTransaction, world: CommandWorld): Outcome {
  const gasId = transaction.gas.payment[0]?.objectId;
  const frame: Frame = {
    ...world,
    sender: transaction.sender,
    inputs: transaction.inputs.map((input) => slotOf(input, world.draft)),
    gas: gasId === undefined ? undefined : slot({ kind: 'object', id: gasId }, 'gas'),
    results: [],
  };
  let command: number | undefined = 0;
  try {
    for (command = 0; command < transaction.commands.length; command += 1) {
      const next = transaction.commands[command];
      if (next) frame.results.push(runCommand(frame, next));
    }
    command = undefined;
    checkLeftovers(frame);
    return { kind: 'success' };
  } catch (error) {
    if (!(error instanceof MoveFailure)) throw error;
    return { kind: 'failure', failure: error.failure, command };
  }
}

const slot = (value: MoveValue, access: Slot['access'], isMade = false): Slot => ({
  value,
  access,
  isUsedUp: false,
  isMade,
});

function slotOf(input: TransactionInput, draft: Draft): Slot {
  if (input.Pure)
    return slot({ kind: 'pure', bytes: Buffer.from(input.Pure.bytes, 'base64') }, 'owned');
  const shared = input.Object?.SharedObject;
  if (shared) {
    const access = shared.mutable ? 'shared-mutable' : 'read';
    return slot({ kind: 'object', id: shared.objectId }, access);
  }
  const id = input.Object?.ImmOrOwnedObject?.objectId ?? '';
  const isImmutable = draft.read(id)?.owner.kind === 'immutable';
  return slot({ kind: 'object', id }, isImmutable ? 'read' : 'owned');
}

function runCommand(frame: Frame, command: TransactionCommand): Slot[] {
  if (command.SplitCoins) return split(frame, command.SplitCoins);
  if (command.MergeCoins) return merge(frame, command.MergeCoins);
  if (command.TransferObjects) return transfer(frame, command.TransferObjects);
  if (command.MoveCall) return call(frame, command.MoveCall);
  throw new Error(`the checks let an unmodelled command pass: ${command.$kind}`);
}

function split(frame: Frame, command: NonNullable<TransactionCommand['SplitCoins']>): Slot[] {
  const coin = coinAt(frame, command.coin, 0);
  const amounts = command.amounts.map((argument, index) => {
    const value = take(frame, argument, index + 1).value;
    const amount = value.kind === 'pure' ? parseExact(bcs.u64(), value.bytes) : undefined;
    if (amount === undefined) throw wrong(index + 1, 'invalid-bcs');
    return BigInt(amount);
  });
  const total = toU64(amounts.reduce((sum, amount) => sum + amount, 0n));
  if (balanceOf(coin) < total) throw new MoveFailure({ kind: 'insufficient-coin-balance' });
  changeBalance(frame.draft, coin.id, -total);
  const type = coinOf(coin.type) ?? '';
  return amounts.map((amount) => {
    const id = mint(frame.draft, { type, owner: frame.sender, amount });
    return slot({ kind: 'object', id }, 'owned', true);
  });
}

function merge(frame: Frame, command: NonNullable<TransactionCommand['MergeCoins']>): Slot[] {
  const target = coinAt(frame, command.destination, 0);
  for (const [index, argument] of command.sources.entries()) {
    const source = coinAt(frame, argument, index + 1);
    if (source.type !== target.type) throw wrong(index + 1, 'type-mismatch');
    if (argument.GasCoin) throw wrong(index + 1, 'gas-coin-usage');
    useUp(take(frame, argument, index + 1), index + 1);
    changeBalance(frame.draft, target.id, balanceOf(source));
    frame.draft.remove(source.id);
  }
  return [];
}

function transfer(
  frame: Frame,
  command: NonNullable<TransactionCommand['TransferObjects']>,
): Slot[] {
  const last = command.objects.length;
  const to = take(frame, command.address, last).value;
  const address = to.kind === 'pure' ? parseExact(bcs.Address, to.bytes) : undefined;
  if (address === undefined) throw wrong(last, 'invalid-bcs');
  for (const [index, argument] of command.objects.entries()) {
    const given = take(frame, argument, index);
    const object = objectOf(frame, given, index);
    useUp(given, index);
    if (!object.hasPublicTransfer) throw wrong(index, 'type-mismatch');
    frame.draft.write({ ...object, owner: { kind: 'address', address } });
  }
  return [];
}

function call(frame: Frame, command: NonNullable<TransactionCommand['MoveCall']>): Slot[] {
  const deployment = frame.deployment(command.package);
  const called = command.module === 'db' ? moveFunctions.get(command.function) : undefined;
  if (!deployment || !called) throw new MoveFailure({ kind: 'function-not-found' });
  if (called.parameters.length !== command.arguments.length) {
    throw new MoveFailure({ kind: 'arity-mismatch' });
  }
  const values = command.arguments.map((argument, index) => {
    const given = take(frame, argument, index);
    const parameter = called.parameters[index];
    if (parameter) checkParameter(frame, { given, parameter, deployment, index });
    return given.value;
  });
  const { draft, sender, epoch, drawU64 } = frame;
  const { definingId, packageId: calledId, usdcType } = deployment;
  const names = { definingId, calledId, functionName: command.function, usdcType };
  called.run({ draft, sender, epoch, drawU64, ...names, values });
  return [];
}

function checkParameter(
  frame: Frame,
  check: { given: Slot; parameter: Parameter; deployment: Deployment; index: number },
): void {
  const { given, parameter, deployment, index } = check;
  const wanted = objectWanted(parameter);
  // A pure value is checked where it is read, by its layout.
  if (!wanted) return;
  const object = objectOf(frame, given, index);
  if (object.type !== typeWanted(wanted.name, deployment)) throw wrong(index, 'type-mismatch');
  if (wanted.isMutable && given.access === 'read') throw wrong(index, 'object-not-mutable');
}

function typeWanted(name: string, { definingId, usdcType }: Deployment): string {
  if (name === 'Coin') return coinTypeOf(usdcType);
  return name === 'Random' ? randomType : `${definingId}::db::${name}`;
}

function take(frame: Frame, argument: TransactionArgument, index: number): Slot {
  const found = find(frame, argument);
  if (!found) throw wrong(index, 'out-of-bounds');
  if (found.isUsedUp) throw wrong(index, 'value-used');
  return found;
}

function find(frame: Frame, argument: TransactionArgument): Slot | undefined {
  if (argument.GasCoin) return frame.gas;
  if (argument.Input !== undefined) return frame.inputs[argument.Input];
  if (argument.NestedResult) {
    const [result, subresult] = argument.NestedResult;
    return frame.results[result]?.[subresult];
  }
  const results = frame.results[argument.Result ?? -1];
  return results?.length === 1 ? results[0] : undefined;
}

function objectOf(frame: Frame, { value }: Slot, index: number): DraftObject {
  const object = value.kind === 'object' ? frame.draft.read(value.id) : undefined;
  if (!object) throw wrong(index, 'type-mismatch');
  return object;
}

function coinAt(frame: Frame, argument: TransactionArgument, index: number): DraftObject {
  const given = take(frame, argument, index);
  const object = objectOf(frame, given, index);
  if (coinOf(object.type) === undefined) throw wrong(index, 'type-mismatch');
  if (given.access === 'read') throw wrong(index, 'object-not-mutable');
  return object;
}

function useUp(given: Slot, index: number): void {
  const isWhole = given.access === 'owned' || given.access === 'gas';
  if (!isWhole) throw wrong(index, 'object-not-by-value');
  given.isUsedUp = true;
}

function checkLeftovers({ results }: Frame): void {
  for (const [result, made] of results.entries()) {
    const subresult = made.findIndex((value) => value.isMade && !value.isUsedUp);
    if (subresult >= 0) throw new MoveFailure({ kind: 'unused-value', result, subresult });
  }
}

const wrong = (index: number, problem: ArgumentProblem) =>
  new MoveFailure({ kind: 'argument', index, problem });
