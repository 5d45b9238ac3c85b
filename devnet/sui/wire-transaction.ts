/** Signed transactions as the RPC tells them. */
import { GrpcTypes } from '@mysten/sui/grpc';
import type { ReadMask } from './read-mask.ts';
import type {
  ParsedTransaction,
  TransactionArgument,
  TransactionCommand,
  TransactionInput,
} from './transaction-data.ts';
import { timestampMessage } from './wire-objects.ts';

const {
  Argument_ArgumentKind: ArgumentKind,
  Input_InputKind: InputKind,
  Input_Mutability: Mutability,
  TransactionExpiration_TransactionExpirationKind: ExpirationKind,
  TransactionKind_Kind: Kind,
} = GrpcTypes;

export function transactionMessage(
  transaction: ParsedTransaction,
  mask: ReadMask,
): GrpcTypes.Transaction {
  const { digest, bytes, sender, gas } = transaction;
  const message: GrpcTypes.Transaction = {
    bcs: { name: 'TransactionData', value: bytes },
    digest,
    version: 1,
    sender,
  };
  if (mask.has('expiration')) message.expiration = expirationMessage(transaction.expiration);
  if (mask.has('gas_payment')) {
    message.gasPayment = {
      objects: gas.payment.map(referenceMessage),
      owner: gas.owner,
      price: BigInt(gas.price),
      budget: BigInt(gas.budget),
    };
  }
  if (mask.has('kind')) message.kind = kindMessage(transaction);
  return message;
}

const referenceMessage = (reference: {
  objectId: string;
  version: string | bigint;
  digest: string;
}) => ({ ...reference, version: BigInt(reference.version) });

function kindMessage({ inputs, commands }: ParsedTransaction): GrpcTypes.TransactionKind {
  return {
    kind: Kind.PROGRAMMABLE_TRANSACTION,
    data: {
      oneofKind: 'programmableTransaction',
      programmableTransaction: {
        inputs: inputs.map(inputMessage),
        commands: commands.map((command) => ({ command: commandMessage(command) })),
      },
    },
  };
}

function inputMessage(input: TransactionInput): GrpcTypes.Input {
  if (input.Pure) return { kind: InputKind.PURE, pure: Buffer.from(input.Pure.bytes, 'base64') };
  const shared = input.Object?.SharedObject;
  if (shared) {
    return {
      kind: InputKind.SHARED,
      objectId: shared.objectId,
      version: BigInt(shared.initialSharedVersion),
      mutable: shared.mutable,
      mutability: shared.mutable ? Mutability.MUTABLE : Mutability.IMMUTABLE,
    };
  }
  const owned = input.Object?.ImmOrOwnedObject;
  if (!owned) throw new Error('the checks let an unmodelled input pass');
  return { kind: InputKind.IMMUTABLE_OR_OWNED, ...referenceMessage(owned) };
}

function commandMessage(command: TransactionCommand): GrpcTypes.Command['command'] {
  const { MoveCall: call, TransferObjects: transfer } = command;
  const { SplitCoins: split, MergeCoins: merge } = command;
  if (call) {
    const { package: id, module, function: name, typeArguments } = call;
    const args = call.arguments.map(argumentMessage);
    const moveCall = { package: id, module, function: name, typeArguments, arguments: args };
    return { oneofKind: 'moveCall', moveCall };
  }
  if (transfer) {
    const objects = transfer.objects.map(argumentMessage);
    const transferObjects = { objects, address: argumentMessage(transfer.address) };
    return { oneofKind: 'transferObjects', transferObjects };
  }
  if (split) {
    const amounts = split.amounts.map(argumentMessage);
    return { oneofKind: 'splitCoins', splitCoins: { coin: argumentMessage(split.coin), amounts } };
  }
  if (!merge) throw new Error('the checks let an unmodelled command pass');
  const coinsToMerge = merge.sources.map(argumentMessage);
  const mergeCoins = { coin: argumentMessage(merge.destination), coinsToMerge };
  return { oneofKind: 'mergeCoins', mergeCoins };
}

function argumentMessage(argument: TransactionArgument): GrpcTypes.Argument {
  if (argument.Input !== undefined) return { kind: ArgumentKind.INPUT, input: argument.Input };
  if (argument.Result !== undefined) return { kind: ArgumentKind.RESULT, result: argument.Result };
  if (argument.NestedResult) {
    const [result, subresult] = argument.NestedResult;
    return { kind: ArgumentKind.RESULT, result, subresult };
  }
  return { kind: ArgumentKind.GAS };
}

function expirationMessage(
  expiration: ParsedTransaction['expiration'],
): GrpcTypes.TransactionExpiration {
  if (expiration.Epoch !== undefined) {
    return { kind: ExpirationKind.EPOCH, epoch: BigInt(expiration.Epoch) };
  }
  const during = expiration.ValidDuring ?? expiration.Validity;
  if (!during) return { kind: ExpirationKind.NONE };
  const { chain, nonce, minEpoch, maxEpoch, minTimestamp, maxTimestamp } = during;
  const kind = expiration.ValidDuring ? ExpirationKind.VALID_DURING : ExpirationKind.VALIDITY;
  const message: GrpcTypes.TransactionExpiration = { kind, chain, nonce };
  if (minEpoch !== null) message.minEpoch = BigInt(minEpoch);
  if (maxEpoch !== null) message.epoch = BigInt(maxEpoch);
  if (minTimestamp !== null) message.minTimestamp = timestampMessage(Number(minTimestamp));
  if (maxTimestamp !== null) message.maxTimestamp = timestampMessage(Number(maxTimestamp));
  return message;
}
