/** Checkpoints: contents, summary and the chain of digests, in BCS as validators sign it. */
import { bcs } from '@mysten/sui/bcs';
import { digestOf, memoized } from './digest.ts';
import { type Executed, effectsDigest, type GasUsed } from './executed.ts';

export type Checkpoint = {
  readonly sequence: bigint;
  readonly epoch: bigint;
  readonly timestampMs: number;
  readonly transactions: readonly Executed[];
  /** Of the whole network, this checkpoint included. */
  readonly transactionsTotal: bigint;
  readonly isEndOfEpoch: boolean;
};

const u64 = bcs.u64();
const digest = bcs.ObjectDigest;
const gasLayout = bcs.struct('GasCostSummary', {
  computationCost: u64,
  storageCost: u64,
  storageRebate: u64,
  nonRefundableStorageFee: u64,
});
const commitments = bcs.vector(bcs.tuple([digest]));
const summaryLayout = bcs.struct('CheckpointSummary', {
  epoch: u64,
  sequence: u64,
  transactionsTotal: u64,
  contentDigest: digest,
  previousDigest: bcs.option(digest),
  gas: gasLayout,
  timestampMs: u64,
  commitments,
  endOfEpoch: bcs.option(
    bcs.struct('EndOfEpochData', {
      nextCommittee: bcs.vector(bcs.tuple([bcs.byteVector(), u64])),
      nextProtocolVersion: u64,
      commitments,
    }),
  ),
  versionSpecificData: bcs.byteVector(),
});
const contentsLayout = bcs.enum('CheckpointContents', {
  V1: bcs.struct('CheckpointContentsV1', {
    transactions: bcs.vector(
      bcs.struct('ExecutionDigests', { transaction: digest, effects: digest }),
    ),
    signatures: bcs.vector(bcs.vector(bcs.byteVector())),
  }),
});

export const protocolVersion = 138n;

export const contentsBytes = memoized(({ transactions }: Checkpoint) =>
  contentsLayout
    .serialize({
      V1: {
        transactions: transactions.map((executed) => ({
          transaction: executed.transaction.digest,
          effects: effectsDigest(executed),
        })),
        signatures: transactions.map(({ signatures }) => signatures),
      },
    })
    .toBytes(),
);

export const contentsDigest = memoized((checkpoint: Checkpoint) =>
  digestOf('CheckpointContents', contentsBytes(checkpoint)),
);

/** Gas of one checkpoint's transactions; this ledger starts the sum anew each time. */
export function gasOf({ transactions }: Checkpoint): GasUsed {
  const sum = (name: keyof GasUsed) =>
    transactions.reduce((total, { gasUsed }) => total + gasUsed[name], 0n);
  return {
    computationCost: sum('computationCost'),
    storageCost: sum('storageCost'),
    storageRebate: sum('storageRebate'),
    nonRefundableStorageFee: sum('nonRefundableStorageFee'),
  };
}

export function summaryBytes(checkpoint: Checkpoint, previousDigest: string | undefined) {
  const { epoch, sequence, transactionsTotal, timestampMs, isEndOfEpoch } = checkpoint;
  const nextProtocolVersion = protocolVersion;
  return summaryLayout
    .serialize({
      epoch,
      sequence,
      transactionsTotal,
      contentDigest: contentsDigest(checkpoint),
      previousDigest: previousDigest ?? null,
      gas: gasOf(checkpoint),
      timestampMs,
      commitments: [],
      endOfEpoch: isEndOfEpoch ? { nextCommittee: [], nextProtocolVersion, commitments: [] } : null,
      versionSpecificData: [],
    })
    .toBytes();
}

/**
 * Digests of a chain of checkpoints, worked out only when one is asked for: each needs the effects of all that came
 * before.
 */
export function createDigestChain(checkpointAt: (sequence: bigint) => Checkpoint | undefined) {
  const digests: string[] = [];
  const sequences = new Map<string, bigint>();

  function extendTo(sequence: bigint): void {
    for (let next = digests.length; next <= sequence; next += 1) {
      const checkpoint = checkpointAt(BigInt(next));
      if (!checkpoint) throw new Error(`no checkpoint ${next}`);
      const computed = digestOf('CheckpointSummary', summaryBytes(checkpoint, digests[next - 1]));
      digests.push(computed);
      sequences.set(computed, BigInt(next));
    }
  }

  return {
    digestAt(sequence: bigint): string {
      extendTo(sequence);
      return digests[Number(sequence)] ?? '';
    },
    previousOf(sequence: bigint): string | undefined {
      return sequence === 0n ? undefined : this.digestAt(sequence - 1n);
    },
    find(wanted: string, height: bigint): bigint | undefined {
      extendTo(height);
      return sequences.get(wanted);
    },
  };
}
