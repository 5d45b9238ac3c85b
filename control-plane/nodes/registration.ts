/** What a node's owner signs to say where the node listens (Atoma node protocol, section 13). */
import { z } from 'zod';
import { registrationHash } from '../../chain/node-registration.ts';

const addressLengthMax = 300;
/** Of the longest scheme, in base64. */
const signatureLengthMax = 136;

const data = z.strictObject({
  node_small_id: z.int().min(1),
  public_address: z
    .string()
    .max(addressLengthMax)
    .regex(/^[\x21-\x7e]+$/, 'expected printable characters'),
  country: z.string().regex(/^[A-Z]{2}$/, 'expected two capital letters'),
});

const body = z.strictObject({
  data,
  signature: z
    .string()
    .max(signatureLengthMax)
    .regex(/^[A-Za-z0-9+/]+=*$/, 'expected base64'),
});

export type SignedRegistration = {
  readonly nodeId: bigint;
  readonly publicAddress: string;
  readonly country: string;
  readonly signature: string;
  /** What is signed. */
  readonly hash: Uint8Array;
};

export type Invalid = {
  readonly kind: 'request-invalid';
  readonly param: string | null;
  readonly message: string;
};

/** Reads the body of `POST /v1/nodes`. */
export function parseRegistration(json: unknown): SignedRegistration | Invalid {
  const result = body.safeParse(json);
  if (!result.success) return toInvalid(result.error);
  const { signature, data: given } = result.data;
  const { node_small_id, public_address, country } = given;
  return {
    nodeId: BigInt(node_small_id),
    publicAddress: public_address,
    country,
    signature,
    hash: registrationHash(given),
  };
}

/** The first problem; the text never holds what was sent. */
export function toInvalid({ issues: [issue] }: z.ZodError): Invalid {
  const param = issue?.path.join('.') ?? '';
  const message = issue?.code === 'unrecognized_keys' ? 'unknown field' : (issue?.message ?? '');
  return {
    kind: 'request-invalid',
    param: param === '' ? null : param,
    message: `${param === '' ? 'The body' : `"${param}"`} is not valid: ${message}.`,
  };
}
