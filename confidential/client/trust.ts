/** Whom a caller believes: whose key a request may be sealed to, and who may sign the answer. */
import { equalBytes } from '@noble/ciphers/utils.js';
import { parseBase64 } from '../base64.ts';
import { UnprovenError } from './errors.ts';
import type { Lock } from './lock.ts';

/** A node that the caller knows by its own means. */
export type PinnedNode = {
  /** Its X25519 key in base64: new at each start and each rotation of the node. */
  readonly publicKey: string;
  /** The Sui address that signs its answers. */
  readonly signerAddress?: string | undefined;
};

/** What the chain says about nodes; each call may throw, and then nothing is sealed. */
export type ChainView = {
  /** The X25519 key that the node published last; nothing where it published none. */
  lookUpKey(nodeSmallId: bigint, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Whether the address owns the node. */
  ownsNode?(
    node: { readonly nodeSmallId: bigint; readonly address: string },
    signal: AbortSignal,
  ): Promise<boolean>;
};

export type Trust =
  /** The gateway's word: it could name a key of its own, and read everything. */
  | { readonly kind: 'lock' }
  /** Only nodes of this list, by their small ids. */
  | { readonly kind: 'keys'; readonly keys: Readonly<Record<string, PinnedNode>> }
  /** Only keys that nodes published on the chain. */
  | ({ readonly kind: 'chain' } & ChainView);

/** @throws UnprovenError where the lock's key is not the one that the trusted source names. */
export async function proveKey(lock: Lock, trust: Trust, signal: AbortSignal): Promise<void> {
  if (trust.kind === 'lock') return;
  const node = `node ${lock.nodeSmallId}`;
  const expected =
    trust.kind === 'keys'
      ? pinnedKey(trust.keys[String(lock.nodeSmallId)])
      : await trust.lookUpKey(lock.nodeSmallId, signal);
  if (!expected) throw new UnprovenError('key', `no key of ${node} is known: nothing was sealed`);
  if (!equalBytes(expected, lock.publicKey)) {
    throw new UnprovenError(
      'key',
      `the lock names another key than that of ${node}: nothing was sealed`,
    );
  }
}

const pinnedKey = (pinned: PinnedNode | undefined) => pinned && parseBase64(pinned.publicKey);

/** Compares who signed with who may; within one exchange it is always the same. */
export type SignerCheck = (signerAddress: string, signal: AbortSignal) => Promise<void>;

/** Where nothing tells who may sign, whoever signed first must have signed all. */
export function createSignerCheck(lock: Lock, trust: Trust): SignerCheck {
  let proven = trust.kind === 'keys' ? pinnedSigner(trust, lock) : lock.signerAddress;
  let isOwnerProven = trust.kind !== 'chain' || !trust.ownsNode;
  return async function checkSigner(address, signal) {
    if (proven !== undefined && proven !== address) {
      throw new UnprovenError('signer', `the answer is not signed by node ${lock.nodeSmallId}`);
    }
    proven = address;
    if (isOwnerProven) return;
    const { nodeSmallId } = lock;
    const owns =
      trust.kind === 'chain' && (await trust.ownsNode?.({ nodeSmallId, address }, signal));
    if (!owns) {
      throw new UnprovenError('signer', `the answer's signer does not own node ${nodeSmallId}`);
    }
    isOwnerProven = true;
  };
}

const pinnedSigner = (trust: Trust & { kind: 'keys' }, lock: Lock) =>
  trust.keys[String(lock.nodeSmallId)]?.signerAddress ?? lock.signerAddress;
