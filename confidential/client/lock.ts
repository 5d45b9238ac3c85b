/** The gateway's lock: which node, which key, which stack one request is for. */
import { z } from 'zod';
import { type StackSmallId, stackSmallId } from '../../domain/chain-ids.ts';
import { parseBase64 } from '../base64.ts';
import { publicKeyBytes } from '../keys.ts';
import { readJson } from '../reading.ts';
import { UnprovenError } from './errors.ts';

export const lockBytesMax = 65_536;

export type Lock = {
  readonly publicKey: Uint8Array;
  readonly nodeSmallId: bigint;
  readonly stackSmallId: StackSmallId;
  /** Who signs the node's answers, as the gateway says; nothing where it does not say. */
  readonly signerAddress: string | undefined;
};

const id = z.int().nonnegative();
const shape = z.looseObject({
  public_key: z.string(),
  node_small_id: id,
  stack_small_id: id,
  signer_address: z.string().nullish(),
});

/** @throws UnprovenError where the text is no lock. Fields that are not known are ignored. */
export function parseLock(text: string): Lock {
  const read = readJson(text, shape);
  const publicKey = read.kind === 'read' ? parseBase64(read.value.public_key) : undefined;
  if (read.kind !== 'read' || publicKey?.length !== publicKeyBytes) {
    throw new UnprovenError('lock', 'the gateway answered with no lock: nothing was sealed');
  }
  const { node_small_id, stack_small_id, signer_address } = read.value;
  return {
    publicKey,
    nodeSmallId: BigInt(node_small_id),
    stackSmallId: stackSmallId(BigInt(stack_small_id)),
    signerAddress: signer_address ?? undefined,
  };
}
