/** For tests: what nodes' owners sign. */
import { blake2b256 } from '../../chain/blake2b.ts';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from '../../chain/keystore.ts';
import { signRegistration } from '../../chain/node-registration.ts';
import { signHash } from '../../chain/request-signature.ts';

/** A key that is the same in every run: the seed is 32 times that byte. */
export function testKey(byte: number): SigningKey {
  const key = parseKeystoreEntry(toKeystoreEntry(new Uint8Array(32).fill(byte)));
  if (!key) throw new Error('a seed gives a key');
  return key;
}

/** The body of `POST /v1/nodes`. */
export const signedRegistration = (
  key: SigningKey,
  { nodeId = 1, address = 'https://node.example.com', country = 'US' } = {},
) => signRegistration(key, { node_small_id: nodeId, public_address: address, country });

/** The body of `PUT /v1/update_node_attestation`, and its signature. */
export function signedAttestation(
  key: SigningKey,
  { nodeId = 1, evidence = [1, 2, 3] }: { nodeId?: number; evidence?: readonly number[] } = {},
) {
  const id = Buffer.alloc(8);
  id.writeBigInt64LE(BigInt(nodeId));
  const hash = blake2b256(Buffer.concat([id, Uint8Array.from(evidence)]));
  return {
    body: { node_small_id: nodeId, compressed_evidence: evidence },
    signature: signHash(key, hash),
  };
}
