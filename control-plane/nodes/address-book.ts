/**
 * Where the registered nodes can be reached, checked again over time: a host that moves to an address that is not
 * public is dropped, a badge that is given away takes the address with it.
 */
import type { FullNode } from '../../chain/full-node.ts';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NodeRegistration } from '../../storage/node-registrations.ts';
import type { NodeAddress } from '../discovery/chain-fleet.ts';
import { findPlace, type LookupAll, type NodePlace } from './node-place.ts';
import { nodesOwnedBy } from './owner.ts';
import type { IsAllowed } from './public-address.ts';

export type AddressBookPorts = {
  readonly fullNode: Pick<FullNode, 'nodeBadges'>;
  readonly lookupAll: LookupAll;
  readonly isAllowed: IsAllowed;
  readonly signal: AbortSignal;
  readonly log: Logger;
};

export type AddressBook = {
  /** Takes in what is registered now; resolves once what is new has been looked up. */
  update(registrations: readonly NodeRegistration[]): Promise<void>;
  /** Asks for every host again. */
  recheckPlaces(): Promise<void>;
  /** Asks the chain for every owner again. */
  recheckOwners(): Promise<void>;
  /** By the node's small id. */
  addresses(): ReadonlyMap<string, NodeAddress>;
};

type Entry = {
  readonly registration: NodeRegistration;
  place: NodePlace | undefined;
  reason: string;
  isOwned: boolean;
};

/** At once: thousands of questions at one moment would look like an attack. */
const parallelMax = 16;

export function createAddressBook(ports: AddressBookPorts): AddressBook {
  const entries = new Map<string, Entry>();
  return {
    async update(registrations) {
      const gone = new Set(entries.keys());
      const fresh: Entry[] = [];
      for (const registration of registrations) {
        const { nodeId } = registration;
        gone.delete(nodeId);
        if (isSame(entries.get(nodeId)?.registration, registration)) continue;
        // The desk has just asked the chain; until the next round its word holds.
        const entry = { registration, place: undefined, reason: 'being looked up', isOwned: true };
        entries.set(nodeId, entry);
        fresh.push(entry);
      }
      for (const nodeId of gone) entries.delete(nodeId);
      await inParallel(fresh, (entry) => checkPlace(entry, ports));
    },

    recheckPlaces: () => inParallel([...entries.values()], (entry) => checkPlace(entry, ports)),

    async recheckOwners() {
      const byOwner = Map.groupBy(entries.values(), ({ registration }) => registration.owner);
      await inParallel([...byOwner], ([owner, own]) => checkOwner(owner, own, ports));
    },

    addresses: () => new Map([...entries].map(([nodeId, entry]) => [nodeId, toAddress(entry)])),
  };
}

const isSame = (left: NodeRegistration | undefined, right: NodeRegistration) =>
  left !== undefined && left.hash === right.hash && left.owner === right.owner;

async function checkPlace(entry: Entry, ports: AddressBookPorts): Promise<void> {
  const found = await findPlace(entry.registration.publicAddress, ports);
  if (found.kind === 'place') entry.place = found.place;
  else entry.reason = found.reason;
  // Without an answer the last checked address stays: nobody else has been given it by a name server.
  if (found.kind === 'refused') entry.place = undefined;
}

/** Where the chain cannot be asked, everything stays as it is. */
async function checkOwner(
  owner: SuiAddress,
  entries: readonly Entry[],
  { fullNode, signal, log }: AddressBookPorts,
): Promise<void> {
  try {
    const owned = await nodesOwnedBy(owner, { fullNode, signal });
    for (const entry of entries) entry.isOwned = owned.has(entry.registration.nodeId);
  } catch (cause) {
    if (!signal.aborted) log.warn({ err: cause, owner }, 'the owner of nodes cannot be checked');
  }
}

function toAddress({ registration, place, reason, isOwned }: Entry): NodeAddress {
  if (!isOwned) return { kind: 'unusable', reason: 'its badge has gone to another owner' };
  if (!place) return { kind: 'unusable', reason };
  return { kind: 'usable', ...place, owner: registration.owner };
}

async function inParallel<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: parallelMax }, worker));
}
