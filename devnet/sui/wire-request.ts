/**
 * Transactions as callers describe them to SimulateTransaction: objects may be bare ids, for the node to look up their
 * version, digest and kind.
 */
import type { bcs } from '@mysten/sui/bcs';
import { GrpcTypes } from '@mysten/sui/grpc';
import { normalizeSuiAddress, toBase64 } from '@mysten/sui/utils';
import { moveFunctions, objectWanted } from './atoma-module.ts';
import { type LedgerObject, objectDigest } from './objects.ts';
import { type Rejection, reject } from './transaction-checks.ts';
import type { TransactionDraft } from './transaction-data.ts';

const {
  Argument_ArgumentKind: ArgumentKind,
  Input_InputKind: InputKind,
  TransactionExpiration_TransactionExpirationKind: ExpirationKind,
} = GrpcTypes;

type InputDraft = TransactionDraft['inputs'][number];
type CommandDraft = TransactionDraft['commands'][number];
type ArgumentDraft = (typeof bcs.Argument)['$inferInput'];
type ObjectAt = (id: string) => LedgerObject | undefined;

/** Looks up what is missing; gas is left as the caller gave it, zero standing for "not given". */
export function resolveRequest(
  message: GrpcTypes.Transaction,
  objectAt: ObjectAt,
): TransactionDraft | Rejection {
  const data = message.kind?.data;
  if (data?.oneofKind !== 'programmableTransaction') return reject('missing kind');
  const { inputs, commands } = data.programmableTransaction;
  const sender = normalizeSuiAddress(message.sender ?? '0x0');
  const { objects = [], owner = sender, price = 0n, budget = 0n } = message.gasPayment ?? {};
  const resolved: InputDraft[] = [];
  for (const [index, input] of inputs.entries()) {
    const isMutable = isUsedMutably(commands, index);
    const draft = inputDraft(input, { objectAt, isMutable });
    if (draft.kind === 'rejected') return draft;
    resolved.push(draft.input);
  }
  return {
    sender,
    gas: { payment: objects.map(referenceDraft), owner, price, budget },
    expiration: expirationDraft(message.expiration),
    inputs: resolved,
    commands: commands.flatMap(({ command }) => commandDraft(command) ?? []),
  };
}

type Resolved = { readonly kind: 'resolved'; readonly input: InputDraft } | Rejection;

function inputDraft(
  input: GrpcTypes.Input,
  world: { readonly objectAt: ObjectAt; readonly isMutable: boolean },
): Resolved {
  if (input.pure !== undefined) return found({ Pure: { bytes: toBase64(input.pure) } });
  if (input.objectId === undefined)
    return reject('the input kind is not modelled', 'UNIMPLEMENTED');
  const objectId = normalizeSuiAddress(input.objectId);
  const object = world.objectAt(objectId);
  if (!object) return reject(`ObjectNotFound: ${objectId}`);
  const isShared = object.owner.kind === 'shared' && input.kind !== InputKind.IMMUTABLE_OR_OWNED;
  if (object.owner.kind === 'shared' && isShared) {
    const initialSharedVersion = input.version ?? object.owner.initialVersion;
    const mutable = input.mutable ?? world.isMutable;
    return found({ Object: { SharedObject: { objectId, initialSharedVersion, mutable } } });
  }
  const version = input.version ?? object.version;
  const digest = input.digest ?? objectDigest(object);
  return found({ Object: { ImmOrOwnedObject: { objectId, version, digest } } });
}

const found = (input: InputDraft): Resolved => ({ kind: 'resolved', input });

const referenceDraft = ({
  objectId = '',
  version = 0n,
  digest = '',
}: GrpcTypes.ObjectReference) => ({
  objectId,
  version,
  digest,
});

/** Whether a call takes the input by mutable reference, which its signature tells. */
function isUsedMutably(commands: readonly GrpcTypes.Command[], input: number): boolean {
  return commands.some(({ command }) => {
    if (command.oneofKind !== 'moveCall') return false;
    const called = moveFunctions.get(command.moveCall.function ?? '');
    return command.moveCall.arguments.some((argument, index) => {
      if (argument.kind !== ArgumentKind.INPUT || argument.input !== input) return false;
      const parameter = called?.parameters[index];
      return parameter !== undefined && objectWanted(parameter)?.isMutable === true;
    });
  });
}

function commandDraft(command: GrpcTypes.Command['command']): CommandDraft | undefined {
  switch (command.oneofKind) {
    case 'moveCall': {
      const {
        package: id = '',
        module = '',
        function: name = '',
        typeArguments,
      } = command.moveCall;
      const args = command.moveCall.arguments.map(argumentDraft);
      const call = { package: id, module, function: name, typeArguments, arguments: args };
      return { MoveCall: call };
    }
    case 'transferObjects': {
      const { objects, address } = command.transferObjects;
      const to = argumentDraft(address);
      return { TransferObjects: { objects: objects.map(argumentDraft), address: to } };
    }
    case 'splitCoins': {
      const { coin, amounts } = command.splitCoins;
      return { SplitCoins: { coin: argumentDraft(coin), amounts: amounts.map(argumentDraft) } };
    }
    case 'mergeCoins': {
      const { coin, coinsToMerge } = command.mergeCoins;
      const sources = coinsToMerge.map(argumentDraft);
      return { MergeCoins: { destination: argumentDraft(coin), sources } };
    }
    case 'makeMoveVector':
      return { MakeMoveVec: { type: null, elements: [] } };
    case 'publish':
      return { Publish: { modules: [], dependencies: [] } };
    case 'upgrade':
    case undefined:
      return undefined;
  }
}

function argumentDraft(argument: GrpcTypes.Argument | undefined): ArgumentDraft {
  const { kind, input = 0, result = 0, subresult } = argument ?? {};
  if (kind === ArgumentKind.INPUT) return { Input: input };
  if (kind !== ArgumentKind.RESULT) return { GasCoin: true };
  return subresult === undefined ? { Result: result } : { NestedResult: [result, subresult] };
}

function expirationDraft(
  expiration: GrpcTypes.TransactionExpiration | undefined,
): TransactionDraft['expiration'] {
  const { kind, epoch, minEpoch, chain = '', nonce = 0 } = expiration ?? {};
  if (kind === ExpirationKind.EPOCH) return { Epoch: Number(epoch ?? 0n) };
  const isBounded = kind === ExpirationKind.VALID_DURING || kind === ExpirationKind.VALIDITY;
  if (!isBounded) return { None: true };
  const epochs = { minEpoch: minEpoch ?? null, maxEpoch: epoch ?? null };
  const during = { ...epochs, minTimestamp: null, maxTimestamp: null, chain, nonce };
  return { ValidDuring: during };
}
