/** Checkpoints and epochs as the RPC tells them. */
import type { GrpcTypes } from '@mysten/sui/grpc';
import {
  type Checkpoint,
  contentsBytes,
  contentsDigest,
  gasOf,
  protocolVersion,
  summaryBytes,
} from './checkpoints.ts';
import { effectsDigest } from './executed.ts';
import type { Epoch, Ledger } from './ledger.ts';
import type { ReadMask } from './read-mask.ts';
import { executedMessage } from './wire-executed.ts';
import { timestampMessage } from './wire-objects.ts';

const epochDurationMs = 86_400_000n;

export function checkpointMessage(
  checkpoint: Checkpoint,
  options: { readonly ledger: Ledger; readonly mask: ReadMask },
): GrpcTypes.Checkpoint {
  const { ledger, mask } = options;
  const { sequence, timestampMs, transactions } = checkpoint;
  const message: GrpcTypes.Checkpoint = { sequenceNumber: sequence, transactions: [] };
  if (mask.has('digest')) message.digest = ledger.history.chain.digestAt(sequence);
  if (mask.has('summary')) message.summary = summaryMessage(checkpoint, options);
  if (mask.has('contents')) message.contents = contentsMessage(checkpoint);
  if (mask.has('transactions')) {
    message.transactions = transactions.map((executed, index) =>
      executedMessage(executed, {
        place: { checkpoint: sequence, index, timestampMs },
        mask: mask.of('transactions'),
      }),
    );
  }
  return message;
}

export function epochMessage(epoch: Epoch): GrpcTypes.Epoch {
  const { number, startMs, endMs, referenceGasPrice, firstCheckpoint, lastCheckpoint } = epoch;
  const message: GrpcTypes.Epoch = {
    epoch: number,
    firstCheckpoint,
    start: timestampMessage(startMs),
    referenceGasPrice,
    protocolConfig: { protocolVersion, featureFlags: {}, attributes: {}, configs: {} },
    systemState: systemState(epoch),
  };
  if (lastCheckpoint !== undefined) message.lastCheckpoint = lastCheckpoint;
  if (endMs !== undefined) message.end = timestampMessage(endMs);
  return message;
}

function summaryMessage(
  checkpoint: Checkpoint,
  options: { readonly ledger: Ledger; readonly mask: ReadMask },
): GrpcTypes.CheckpointSummary {
  const { chain } = options.ledger.history;
  const mask = options.mask.of('summary');
  const { sequence, epoch, timestampMs, transactionsTotal } = checkpoint;
  const message: GrpcTypes.CheckpointSummary = {
    epoch,
    sequenceNumber: sequence,
    totalNetworkTransactions: transactionsTotal,
    epochRollingGasCostSummary: gasOf(checkpoint),
    timestamp: timestampMessage(timestampMs),
    commitments: [],
  };
  const previous = ['previous_digest', 'bcs'].some(mask.has)
    ? chain.previousOf(sequence)
    : undefined;
  if (previous !== undefined) message.previousDigest = previous;
  if (mask.has('digest')) message.digest = chain.digestAt(sequence);
  if (mask.has('content_digest')) message.contentDigest = contentsDigest(checkpoint);
  if (mask.has('bcs')) {
    message.bcs = { name: 'CheckpointSummary', value: summaryBytes(checkpoint, previous) };
  }
  return message;
}

function contentsMessage(checkpoint: Checkpoint): GrpcTypes.CheckpointContents {
  return {
    bcs: { name: 'CheckpointContents', value: contentsBytes(checkpoint) },
    digest: contentsDigest(checkpoint),
    version: 1,
    transactions: checkpoint.transactions.map((executed) => ({
      transaction: executed.transaction.digest,
      effects: effectsDigest(executed),
      signatures: [],
      addressAliasesVersions: [],
    })),
  };
}

function systemState({ number, startMs, referenceGasPrice }: Epoch): GrpcTypes.SystemState {
  return {
    version: 2n,
    epoch: number,
    protocolVersion,
    referenceGasPrice,
    epochStartTimestampMs: BigInt(startMs),
    safeMode: false,
    parameters: { epochDurationMs },
    validatorReportRecords: [],
  };
}
