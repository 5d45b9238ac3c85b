/** Transactions of one full node as far as they move money, and what it says of signatures, from its gRPC messages. */
import { bcs } from '@mysten/sui/bcs';
import { type GrpcTypes, RpcError } from '@mysten/sui/grpc';
import {
  type BalanceChange,
  type FullNode,
  FullNodeError,
  type LedgerTransaction,
  type ListingFrame,
  type TransactionQuery,
} from '../full-node.ts';
import type { Connection } from './connection.ts';
import { expectAddress, expectAmount, expectSet, expectType, unlessMissing } from './expect.ts';
import { assertReaches, rangeOf, toFrame } from './listing.ts';

const moneyMask = ['digest', 'effects.status', 'balance_changes'];
const transactionMask = [...moneyMask, 'checkpoint', 'transaction_index', 'timestamp'];
const checkpointMask = [
  'sequence_number',
  'summary.timestamp',
  ...moneyMask.map((path) => `transactions.${path}`),
];

type TransactionReader = Pick<
  FullNode,
  'listTransactions' | 'checkpointTransactions' | 'listedTransaction' | 'vouchesFor'
>;

/** The part of the port that tells who paid what. */
export function createTransactionReader(connection: Connection): TransactionReader {
  const { client } = connection;

  async function* listTransactions(
    query: TransactionQuery,
    signal: AbortSignal,
  ): AsyncGenerator<ListingFrame<LedgerTransaction>> {
    const request = toRequest(query);
    const frames = connection.stream(
      signal,
      (options) => client.ledgerService.listTransactions(request, options),
      (headers) => assertReaches(query.startCheckpoint, headers),
    );
    for await (const frame of frames) {
      yield toFrame(frame, frame.transaction && toTransaction(frame.transaction));
    }
  }

  return {
    listTransactions,

    async checkpointTransactions(height, signal) {
      const { checkpoint } = await connection.call(signal, (options) =>
        client.ledgerService.getCheckpoint(
          {
            checkpointId: { oneofKind: 'sequenceNumber', sequenceNumber: height },
            readMask: { paths: checkpointMask },
          },
          options,
        ),
      );
      const { sequenceNumber, transactions, summary } = expectSet(checkpoint, 'checkpoint');
      if (sequenceNumber !== height) {
        throw new FullNodeError('protocol', `asked for ${height}, got ${sequenceNumber}`);
      }
      // Inside its checkpoint a transaction does not say where it is: its place does.
      const timestamp = expectSet(summary?.timestamp, 'summary.timestamp');
      return transactions.map((transaction, index) =>
        toTransaction({
          ...transaction,
          checkpoint: height,
          transactionIndex: BigInt(index),
          timestamp,
        }),
      );
    },

    async listedTransaction(digest, signal) {
      const found = await readTransaction(connection, { digest, signal });
      if (found === undefined) return undefined;
      if (found.digest !== digest) {
        throw new FullNodeError('protocol', `asked for ${digest}, got ${found.digest}`);
      }
      // Listings alone give an index; a deposit does not need it.
      const placed = { ...found, transactionIndex: found.transactionIndex ?? 0n };
      return found.checkpoint === undefined ? 'not-final' : toTransaction(placed);
    },

    vouchesFor: (signed, signal) => askForVerdict(connection, { ...signed, signal }),
  };
}

async function readTransaction(
  { client, call }: Connection,
  { digest, signal }: { digest: string; signal: AbortSignal },
): Promise<GrpcTypes.ExecutedTransaction | undefined> {
  const answer = await unlessMissing(() =>
    call(signal, (options) =>
      client.ledgerService.getTransaction(
        { digest, readMask: { paths: transactionMask } },
        options,
      ),
    ),
  );
  return answer && expectSet(answer.transaction, 'transaction');
}

async function askForVerdict(
  { client, call }: Connection,
  options: Parameters<FullNode['vouchesFor']>[0] & { signal: AbortSignal },
): Promise<boolean> {
  const { address, text, signature, signal } = options;
  const value = bcs.byteVector().serialize(new TextEncoder().encode(text)).toBytes();
  const bytes = { bcs: { name: 'UserSignatureBytes', value: signature } };
  const request = {
    message: { name: 'PersonalMessage', value },
    signature: { ...bytes, signature: { oneofKind: undefined } },
    address,
  } as const;
  try {
    const answer = await call(signal, (callOptions) =>
      client.signatureVerificationService.verifySignature({ ...request, jwks: [] }, callOptions),
    );
    return expectSet(answer.isValid, 'is_valid');
  } catch (cause) {
    // What is no signature at all is refused as such; any other refusal says nothing about the signature.
    if (cause instanceof FullNodeError && isInvalidArgument(cause.cause)) return false;
    throw cause;
  }
}

const isInvalidArgument = (cause: unknown): boolean =>
  cause instanceof RpcError && cause.code === 'INVALID_ARGUMENT';

function toRequest(query: TransactionQuery): GrpcTypes.ListTransactionsRequest {
  const { address } = query;
  const predicate = { oneofKind: 'affectedAddress', affectedAddress: { address } } as const;
  return {
    ...rangeOf(query),
    readMask: { paths: transactionMask },
    filter: { terms: [{ literals: [{ negated: false, predicate }] }] },
  };
}

function toTransaction(transaction: GrpcTypes.ExecutedTransaction): LedgerTransaction {
  const { seconds, nanos } = expectSet(transaction.timestamp, 'timestamp');
  return {
    digest: expectSet(transaction.digest, 'digest'),
    isSuccess: expectSet(transaction.effects?.status?.success, 'effects.status.success'),
    balanceChanges: transaction.balanceChanges.map(toBalanceChange),
    position: {
      checkpoint: expectSet(transaction.checkpoint, 'checkpoint'),
      transaction: expectSet(transaction.transactionIndex, 'transaction_index'),
      event: 0,
    },
    timeMs: Number(seconds) * 1000 + Math.floor(nanos / 1_000_000),
  };
}

function toBalanceChange(change: GrpcTypes.BalanceChange): BalanceChange {
  return {
    address: expectAddress(change.address, 'balance_change.address'),
    coinType: expectType(change.coinType, 'balance_change.coin_type'),
    amount: expectAmount(change.amount, 'balance_change.amount'),
  };
}
