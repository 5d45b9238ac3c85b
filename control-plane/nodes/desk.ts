/** Takes in what nodes' owners sign: who signed is judged before anything that a stranger names is looked up. */
import type { FullNode } from '../../chain/full-node.ts';
import { signerOf } from '../../chain/request-signature.ts';
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';
import type { Failure } from '../../domain/failure.ts';
import { invalid } from '../../domain/request-fields.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NodeRegistrations } from '../../storage/node-registrations.ts';
import { parseAttestation } from './attestation.ts';
import { findPlace, type LookupAll } from './node-place.ts';
import { nodesOwnedBy } from './owner.ts';
import type { IsAllowed } from './public-address.ts';
import { parseRegistration } from './registration.ts';

export type DeskPorts = {
  readonly fullNode: Pick<FullNode, 'nodeBadges'>;
  readonly registrations: Pick<NodeRegistrations, 'register'>;
  /** What the chain tells of a node's evidence. */
  readonly evidence: (nodeId: string) => Promise<Uint8Array | undefined>;
  readonly lookupAll: LookupAll;
  readonly isAllowed: IsAllowed;
  readonly log: Logger;
};

export type Accepted = { readonly kind: 'accepted' };
type Verdict = Accepted | Failure;

export type NodeDesk = {
  register(json: unknown): Promise<Verdict>;
  attest(attestation: { readonly json: unknown; readonly signature: string }): Promise<Verdict>;
};

/** Each of them asks the chain, unasked for by anybody we know. */
const parallelMax = 8;
const checkMsMax = 5000;
const busy: Failure = { kind: 'gateway-unavailable', retryAfterMs: 1000 };
const accepted: Accepted = { kind: 'accepted' };

export function createNodeDesk(ports: DeskPorts): NodeDesk {
  let open = 0;
  async function guarded(work: () => Promise<Verdict>): Promise<Verdict> {
    if (open >= parallelMax) return busy;
    open += 1;
    try {
      return await work();
    } catch (cause) {
      // The chain, the name server or the storage; what is sent again later may be taken in then.
      ports.log.warn({ err: cause }, 'what a node sent cannot be checked');
      return busy;
    } finally {
      open -= 1;
    }
  }
  return {
    register: (json) => guarded(() => register(json, ports)),
    attest: (attestation) => guarded(() => attest(attestation, ports)),
  };
}

async function register(json: unknown, ports: DeskPorts): Promise<Verdict> {
  const registration = parseRegistration(json);
  if ('kind' in registration) return registration;
  const { nodeId, publicAddress, country, hash } = registration;
  const owner = await ownerOf(registration, ports);
  if (typeof owner !== 'string') return owner;
  const found = await findPlace(publicAddress, ports);
  if (found.kind !== 'place') return invalid('data.public_address', `Refused: ${found.reason}.`);
  const statement = { nodeId: `${nodeId}`, owner, publicAddress, country, hash: hexOf(hash) };
  const result = await ports.registrations.register(statement);
  switch (result) {
    case 'current':
      return accepted;
    case 'registered':
      ports.log.info({ node: `${nodeId}`, publicAddress, country }, 'a node has an address');
      return accepted;
    case 'replayed':
      return invalid('data', 'Refused: this registration was replaced by a later one.');
    case 'full':
      return invalid('data', 'Refused: this owner has replaced the address too often.');
  }
}

/** The chain tells the evidence itself: an upload is checked and compared, and changes nothing. */
async function attest(
  { json, signature }: { readonly json: unknown; readonly signature: string },
  ports: DeskPorts,
): Promise<Verdict> {
  const attestation = parseAttestation(json);
  if ('kind' in attestation) return attestation;
  const owner = await ownerOf({ ...attestation, signature }, ports);
  if (typeof owner !== 'string') return owner;
  const node = `${attestation.nodeId}`;
  const known = await ports.evidence(node);
  if (!known || Buffer.compare(known, attestation.evidence) !== 0) {
    ports.log.info({ node, isKnown: known !== undefined }, 'the chain tells other evidence');
  }
  return accepted;
}

/** The signer, where the node's badge is theirs. */
async function ownerOf(
  signed: { readonly nodeId: bigint; readonly hash: Uint8Array; readonly signature: string },
  { fullNode }: DeskPorts,
): Promise<SuiAddress | Failure> {
  const signer = signerOf(signed.hash, signed.signature);
  if (signer === undefined) return invalid('signature', 'The signature is not valid.');
  const owner = suiAddress(signer);
  const nodes = await nodesOwnedBy(owner, { fullNode, signal: AbortSignal.timeout(checkMsMax) });
  if (nodes.has(`${signed.nodeId}`)) return owner;
  return invalid('signature', 'The signature is not that of the node’s owner.');
}

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
