/** Checks a receipt by what is published: its signature, its place in the tree, the root's signature, and the chain of roots. */
import { digestOf, fromDigest, toDigest } from './digest.ts';
import type { PublishedKey, ReceiptDocument } from './document.ts';
import { rootByProof } from './merkle.ts';
import { type Receipt, receiptLeafOf, receiptTextOf } from './receipt.ts';
import { follows, rootHashOf, type SignedRoot } from './root.ts';
import { isSignedBy } from './signing.ts';

export type Verification =
  | { readonly kind: 'valid' }
  | { readonly kind: 'invalid'; readonly reason: string };

type Sealed = Extract<ReceiptDocument, { status: 'sealed' }>;

const valid: Verification = { kind: 'valid' };
const invalid = (reason: string): Verification => ({ kind: 'invalid', reason });

/** A pending receipt is valid by its signature alone. */
export function verifyDocument(
  document: ReceiptDocument,
  keys: readonly PublishedKey[],
): Verification {
  const { receipt } = document;
  const signed = verifySignature(receipt, { keys, madeAt: receipt.served_at });
  if (signed.kind === 'invalid') return invalid(`the receipt ${signed.reason}`);
  return document.status === 'sealed' ? verifyInclusion(document, keys) : valid;
}

function verifyInclusion({ receipt, inclusion }: Sealed, keys: readonly PublishedKey[]) {
  const { index, proof, root } = inclusion;
  const found = rootByProof({
    leaf: receiptLeafOf(receiptTextOf(bodyOf(receipt))),
    index,
    size: root.size,
    proof: proof.map(fromDigest),
  });
  if (!found || toDigest(found) !== root.root)
    return invalid('the proof does not lead to the root');
  return verifyRoot(root, keys);
}

function bodyOf({ key_id: _id, signature: _signature, ...body }: Receipt) {
  return body;
}

function verifyRoot(root: SignedRoot, keys: readonly PublishedKey[]): Verification {
  const signed = verifySignature(root, { keys, madeAt: root.sealed_at });
  return signed.kind === 'valid' ? valid : invalid(`root ${root.number} ${signed.reason}`);
}

/** How far the clocks of the gateway's machines may be apart. */
const clockSkewMs = 60_000;

/** A key that was replaced speaks for nothing that came after it. */
function verifySignature(
  signed: Receipt | SignedRoot,
  { keys, madeAt }: { readonly keys: readonly PublishedKey[]; readonly madeAt: string },
): Verification {
  const key = keys.find(({ key_id }) => key_id === signed.key_id);
  if (!key) return invalid(`is signed by ${signed.key_id}, which is not among the keys`);
  if (key.until !== null && Date.parse(madeAt) > Date.parse(key.until) + clockSkewMs) {
    return invalid(`is signed by ${signed.key_id}, which was replaced before`);
  }
  return isSignedBy({ ...signed }, key.public_key) ? valid : invalid('does not bear its signature');
}

/** Whether the receipt speaks of these bodies, where they are given: as they were sent, and as they came. */
export function verifyBodies(
  { receipt }: ReceiptDocument,
  bodies: { readonly request: Uint8Array | undefined; readonly response: Uint8Array | undefined },
): Verification {
  for (const event of receipt.event_log) {
    const { type } = event;
    if (type === 'request.received' && bodies.request && event.hash !== digestOf(bodies.request)) {
      return invalid('the request is another one');
    }
    if (
      type === 'response.returned' &&
      bodies.response &&
      event.hash !== digestOf(bodies.response)
    ) {
      return invalid('the response is another one');
    }
  }
  return valid;
}

/** Whether these roots are one chain from the first on, each signed, and `sealedBy`, where it is given, is one of them. */
export function verifyChain(
  roots: readonly SignedRoot[],
  { keys, sealedBy }: { readonly keys: readonly PublishedKey[]; readonly sealedBy?: SignedRoot },
): Verification {
  let last: SignedRoot | undefined;
  for (const root of roots) {
    if (!follows(root, last))
      return invalid(`root ${root.number} does not follow the one before it`);
    const signed = verifyRoot(root, keys);
    if (signed.kind === 'invalid') return signed;
    last = root;
  }
  if (!sealedBy) return valid;
  const published = roots[sealedBy.number - 1];
  return published && rootHashOf(published) === rootHashOf(sealedBy)
    ? valid
    : invalid(`root ${sealedBy.number} is not in the published chain`);
}
