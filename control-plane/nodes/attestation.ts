/** The evidence that a node sends after a rotation of keys (Atoma node protocol, section 12). */
import { z } from 'zod';
import { blake2b256 } from '../../chain/blake2b.ts';
import { type Invalid, toInvalid } from './registration.ts';

const evidenceBytesMax = 2 ** 20;
const idBytes = 8;

const body = z.strictObject({
  node_small_id: z.int().min(1),
  compressed_evidence: z.custom<readonly number[]>(isBytes, 'expected up to a million bytes'),
});

export type SignedAttestation = {
  readonly nodeId: bigint;
  readonly evidence: Uint8Array;
  /** What is signed. */
  readonly hash: Uint8Array;
};

/** Reads the body of `PUT /v1/update_node_attestation`. */
export function parseAttestation(json: unknown): SignedAttestation | Invalid {
  const result = body.safeParse(json);
  if (!result.success) return toInvalid(result.error);
  const nodeId = BigInt(result.data.node_small_id);
  const evidence = Uint8Array.from(result.data.compressed_evidence);
  const id = Buffer.alloc(idBytes);
  id.writeBigInt64LE(nodeId);
  return { nodeId, evidence, hash: blake2b256(Buffer.concat([id, evidence])) };
}

/** One loop instead of a schema per byte. */
function isBytes(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > evidenceBytesMax) return false;
  return value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
}
