/** What a node's owner signs to say where the node listens (Atoma node protocol, section 13). */
import { blake2b256 } from './blake2b.ts';
import type { SigningKey } from './keystore.ts';
import { signHash } from './request-signature.ts';

/** `data` in the body of `POST /v1/nodes`. */
export type NodeRegistrationData = {
  readonly node_small_id: number;
  readonly public_address: string;
  /** Two capital letters. */
  readonly country: string;
};

/** The hash that is signed: of the data in compact form and in exactly this order, whatever order it came in. */
export function registrationHash(data: NodeRegistrationData): Uint8Array {
  const { node_small_id, public_address, country } = data;
  return blake2b256(JSON.stringify({ node_small_id, public_address, country }));
}

/** The body of `POST /v1/nodes`. */
export const signRegistration = (key: SigningKey, data: NodeRegistrationData) => ({
  data,
  signature: signHash(key, registrationHash(data)),
});
