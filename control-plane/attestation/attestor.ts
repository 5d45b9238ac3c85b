/** What can be said of a node: the key that the chain tells, and what became of its evidence under the verifiers. */
import { createHash } from 'node:crypto';
import type { Claim } from '../../attestation/claim.ts';
import { type Committed, type Examination, unexamined } from '../../attestation/examine.ts';
import { createExaminer } from '../../attestation/examiner.ts';
import type { Verifier } from '../../attestation/verifier.ts';
import type { Rows } from '../../chain/indexer/state.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ChainRecords, NodeCommitment } from '../../storage/chain-store.ts';

export type NodeAttestation = {
  readonly nodeId: string;
  /** Nothing where the node never committed one. */
  readonly key: Rows['keys'] | undefined;
  readonly rotation: Rows['rotation'] | undefined;
  readonly evidence: { readonly bytes: Uint8Array; readonly sha256: string } | undefined;
  readonly devices: Examination['devices'];
  readonly claims: readonly Claim[];
};

export type Attestor = {
  /** Nothing where the chain knows no such node. Throws where the storage does not answer. */
  attest(nodeId: string, signal: AbortSignal): Promise<NodeAttestation | undefined>;
};

export function createAttestor(ports: {
  readonly records: Pick<ChainRecords, 'committed'>;
  readonly verifiers: readonly Verifier[];
  readonly nowMs: () => number;
  readonly log: Logger;
}): Attestor {
  const { records, verifiers, nowMs, log } = ports;
  const onFailure = (cause: unknown, verifier: string) =>
    log.warn({ err: cause, verifier }, 'a verifier of evidence failed');
  const examiner = createExaminer({ verifiers, nowMs, onFailure });
  return {
    async attest(nodeId, signal) {
      const commitment = await records.committed(nodeId);
      if (!commitment) return undefined;
      const committed = toCommitted(commitment);
      const examination = committed
        ? await examiner.examine(committed, signal)
        : unexamined(verifiers, 'is not there: the node committed no key');
      const { key, rotation, evidence } = commitment;
      return { nodeId, key, rotation, evidence: evidence && hashed(evidence), ...examination };
    },
  };
}

/** Only the present rotation's nonce is known. A key that the contract told may be newer than the last evidence. */
function toCommitted({ key, evidence, rotation }: NodeCommitment): Committed | undefined {
  if (!key) return undefined;
  const isPresent = rotation?.rotation === key.rotation;
  return {
    key: {
      publicKey: key.publicKey,
      rotation: key.rotation,
      rotationNonce: isPresent ? rotation.nonce : undefined,
      isEvidenceOwn: key.source === 'event',
    },
    compressed: evidence,
  };
}

const hashed = (bytes: Uint8Array) => ({
  bytes,
  sha256: createHash('sha256').update(bytes).digest('hex'),
});
