/** LedgerService: the node, objects, transactions, checkpoints and epochs, one at a time or in batches. */
import { status } from '@grpc/grpc-js';
import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import { readAddress, readDigest } from './addresses.ts';
import { type NodeContext, openMask } from './node-context.ts';
import type { LedgerObject } from './objects.ts';
import { type Handlers, statusError } from './serving.ts';
import { checkpointMessage, epochMessage } from './wire-checkpoints.ts';
import { executedMessage } from './wire-executed.ts';
import { objectMessage, timestampMessage } from './wire-objects.ts';

const objectDefault = 'object_id,version,digest';
const transactionDefault = 'digest';
const batchMax = 1000;

type LedgerHandlers = Handlers<SuiGrpcClient['ledgerService']>;

export function createLedgerService(context: NodeContext): LedgerHandlers {
  const { chain } = context;
  const { history, store } = chain.ledger;
  return {
    getServiceInfo: () => serviceInfo(context),
    getObject(request) {
      const { mask, apply } = openMask(GrpcTypes.Object, request.readMask, objectDefault);
      const found = findObject(store, request);
      if (!found) throw statusError('NOT_FOUND', notFound(request));
      return { object: apply(objectMessage(found, mask)) };
    },
    batchGetObjects({ requests, readMask }) {
      checkBatch(requests.length);
      const { mask, apply } = openMask(GrpcTypes.Object, readMask, objectDefault);
      const objects = requests.map((request): GrpcTypes.GetObjectResult => {
        const found = findObject(store, request);
        if (!found) return { result: errorResult(notFound(request)) };
        return { result: { oneofKind: 'object', object: apply(objectMessage(found, mask)) } };
      });
      return { objects };
    },
    getTransaction(request) {
      const transaction = transactionReader(context, request.readMask)(readDigest(request.digest));
      if (!transaction) {
        throw statusError('NOT_FOUND', `Transaction ${request.digest} not found`);
      }
      return { transaction };
    },
    batchGetTransactions({ digests, readMask }) {
      checkBatch(digests.length);
      const read = transactionReader(context, readMask);
      const transactions = digests.map((digest): GrpcTypes.GetTransactionResult => {
        const transaction = read(readDigest(digest));
        if (!transaction) return { result: errorResult(`Transaction ${digest} not found`) };
        return { result: { oneofKind: 'transaction', transaction } };
      });
      return { transactions };
    },
    getCheckpoint({ checkpointId, readMask }) {
      const opened = openMask(GrpcTypes.Checkpoint, readMask, 'sequence_number,digest');
      const sequence = wantedCheckpoint(context, checkpointId);
      const found = sequence === undefined ? undefined : history.checkpoint(sequence);
      if (!found) throw statusError('NOT_FOUND', `Checkpoint ${String(sequence)} not found`);
      const { mask, apply } = opened;
      return { checkpoint: apply(checkpointMessage(found, { ledger: chain.ledger, mask })) };
    },
    getEpoch({ epoch: wanted, readMask }) {
      const { apply } = openMask(GrpcTypes.Epoch, readMask, 'epoch');
      const epoch = wanted === undefined ? chain.ledger.epoch() : chain.ledger.epochAt(wanted);
      if (!epoch) throw statusError('NOT_FOUND', `Epoch ${wanted} not found`);
      return { epoch: apply(epochMessage(epoch)) };
    },
  };
}

function serviceInfo({ chain, faults }: NodeContext): GrpcTypes.GetServiceInfoResponse {
  const { history, epoch } = chain.ledger;
  const height = history.height();
  return {
    chainId: faults.current().chainId ?? chain.chainId(),
    chain: 'unknown',
    epoch: epoch().number,
    checkpointHeight: height,
    timestamp: timestampMessage(history.checkpoint(height)?.timestampMs ?? 0),
    lowestAvailableCheckpoint: history.lowest(),
    lowestAvailableCheckpointObjects: history.lowest(),
    server: 'sui-node/1.82.0-standin',
  };
}

type ObjectRequest = { readonly objectId?: string; readonly version?: bigint };

function findObject(
  store: NodeContext['chain']['ledger']['store'],
  request: ObjectRequest,
): LedgerObject | undefined {
  const id = readAddress(request.objectId, 'object_id');
  return request.version === undefined ? store.get(id) : store.at(id, request.version);
}

const notFound = ({ objectId, version }: ObjectRequest) =>
  version === undefined
    ? `Object ${objectId} not found`
    : `Object ${objectId} with version ${version} not found`;

const errorResult = (message: string) => ({
  oneofKind: 'error' as const,
  error: { code: status.NOT_FOUND, message, details: [] },
});

function checkBatch(length: number): void {
  if (length > batchMax) {
    throw statusError('INVALID_ARGUMENT', `a batch of ${length} is above ${batchMax}`);
  }
}

function transactionReader(
  { chain }: NodeContext,
  readMask: Parameters<typeof openMask>[1],
): (digest: string) => GrpcTypes.ExecutedTransaction | undefined {
  const { history } = chain.ledger;
  const { mask, apply } = openMask(GrpcTypes.ExecutedTransaction, readMask, transactionDefault);
  return (digest) => {
    const executed = history.transaction(digest);
    return executed && apply(executedMessage(executed, { place: history.placeOf(digest), mask }));
  };
}

function wantedCheckpoint(
  { chain }: NodeContext,
  wanted: GrpcTypes.GetCheckpointRequest['checkpointId'],
): bigint | undefined {
  const { chain: digests, height } = chain.ledger.history;
  switch (wanted.oneofKind) {
    case 'sequenceNumber':
      return wanted.sequenceNumber;
    case 'digest':
      return digests.find(readDigest(wanted.digest), height());
    case undefined:
      return height();
  }
}
