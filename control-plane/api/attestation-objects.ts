/** Attestations as callers see them, and what they may ask for. */

import { nodeNameOf } from '../../domain/chain-ids.ts';
import type { Failure } from '../../domain/failure.ts';
import { invalid } from '../../domain/request-fields.ts';
import type { NodeAttestation } from '../attestation/attestor.ts';

/** Whose word all of it is: the gateway runs in no enclave and signs none of it. */
const attestedBy = 'node evidence on chain';

export type ReportQuery = {
  readonly kind: 'query';
  readonly model: string;
  readonly nonce: string | undefined;
  /** Small id of the last node of the page before; nodes follow in the order of their ids. */
  readonly after: bigint;
};

/** The small id in `sui-7` or `7`; nothing where it is neither. */
export function parseNodeId(text: string): string | undefined {
  return /^(?:sui-)?([1-9]\d{0,19})$/.exec(text)?.[1];
}

export function parseReportQuery(
  query: Readonly<Record<string, string | undefined>>,
): ReportQuery | Failure {
  const { model, nonce, after = '' } = query;
  if (!model) return invalid('model', 'Name the model whose nodes the report is of.');
  if (nonce !== undefined && !/^[0-9a-f]{64}$/i.test(nonce)) {
    return invalid('nonce', 'A nonce has 32 bytes, as 64 hex digits.');
  }
  const last = after === '' ? '0' : parseNodeId(after);
  if (last === undefined) return invalid('after', 'This is not a cursor of a report.');
  return { kind: 'query', model, nonce, after: BigInt(last) };
}

export function toNodeObject(attestation: NodeAttestation, options: { withEvidence: boolean }) {
  const { nodeId, key, rotation, evidence, devices, claims } = attestation;
  return {
    object: 'node.attestation',
    node: nodeNameOf(nodeId),
    attested_by: attestedBy,
    key: key
      ? {
          algorithm: 'x25519',
          public_key: toHex(key.publicKey),
          /** `event`, or `stored` by the contract, which may be older than the key in use. */
          source: key.source,
          rotation: String(key.rotation),
          epoch: String(key.epoch),
        }
      : null,
    network: rotation
      ? { rotation: String(rotation.rotation), nonce: String(rotation.nonce) }
      : null,
    devices: devices ?? null,
    evidence: evidence
      ? {
          sha256: evidence.sha256,
          bytes: evidence.bytes.length,
          ...(options.withEvidence
            ? { zlib_base64: Buffer.from(evidence.bytes).toString('base64') }
            : {}),
        }
      : null,
    claims,
  };
}

export function toReportObject(report: {
  readonly query: ReportQuery;
  readonly attestations: readonly NodeAttestation[];
  /** The node after which the next page begins. */
  readonly next: string | undefined;
}) {
  const { query, attestations, next } = report;
  return {
    object: 'attestation.report',
    model: query.model,
    nonce: query.nonce ?? null,
    attested_by: attestedBy,
    data: attestations.map((attestation) => toNodeObject(attestation, { withEvidence: false })),
    has_more: next !== undefined,
    ...(next === undefined ? {} : { next_cursor: nodeNameOf(next) }),
  };
}

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
