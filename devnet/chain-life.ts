/** The life of an Atoma node on the chain: it joins, serves the stacks that are bought from it, and claims those that are used up. */
import { deflateSync } from 'node:zlib';
import { createEventTypes, type EventTypes } from '../chain/bcs/event-types.ts';
import { type ChainIds, createFullNode } from '../chain/client.ts';
import { parseKeystoreEntry } from '../chain/keystore.ts';
import { signRegistration } from '../chain/node-registration.ts';
import type { ChainEvent } from '../domain/chain-event.ts';
import type { NodeSmallId } from '../domain/chain-ids.ts';
import type { Logger } from '../runtime/log.ts';
import type { AtomaNodeHandle } from './atoma-node.ts';
import { type ClaimHabit, type Claims, createClaims, type MadeClaim } from './chain-claims.ts';
import { followEvents } from './chain-events.ts';
import { createChainNode, type NodeIdentity, type Subscription } from './chain-node.ts';
import { keepRegistered } from './gateway-registration.ts';
import { connectSui } from './sui/wallet.ts';

/** Where the chain is, and which contract of it is meant. */
export type ChainPlace = {
  /** `host:port` of a full node's gRPC, without TLS. */
  readonly fullNode: string;
  readonly ids: ChainIds;
};

export type ChainLifeOptions = {
  readonly place: ChainPlace;
  readonly node: AtomaNodeHandle;
  /** Owns the node, and holds gas. */
  readonly keystoreEntry: string;
  readonly subscriptions: readonly Subscription[];
  readonly country: string;
  /** The network's present round of keys. */
  readonly keyRound: bigint;
  /** Where the node tells its address; to nobody if unset. */
  readonly gatewayUrl: string | undefined;
  readonly log: Logger;
};

/** A node that has joined the chain. */
export type ChainLife = {
  readonly node: AtomaNodeHandle;
  readonly nodeId: NodeSmallId;
  setClaims(habit: ClaimHabit): void;
  /** Claims all open stacks, used up or not. */
  claimAll(): Promise<void>;
  /** The claims that the contract has granted. */
  claims(): readonly MadeClaim[];
  close(): Promise<void>;
};

/** A simulated node has no GPU that would speak for its key. */
const noEvidence = deflateSync('[]');

const pauseMs = (attempt: number) => Math.min(2000, 50 * 2 ** attempt);

/** Resolves when the node is registered and subscribed. */
export async function joinChain(options: ChainLifeOptions): Promise<ChainLife> {
  const { place, node, keystoreEntry, subscriptions, gatewayUrl, log } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const connection = connectSui(place.fullNode);
  const fullNode = createFullNode({ host: place.fullNode, tls: false, pauseMs, ids: place.ids });
  const types: EventTypes = createEventTypes([place.ids.definingPackage]);
  const onChain = createChainNode({ connection, keystoreEntry, ids: place.ids, types });

  const identity = await onChain.register();
  const claims = createClaims({ node, claim: (claim) => onChain.claim(identity, claim), log });
  const following = await followEvents({
    fullNode,
    types,
    event: (event) => obey(event, { node, identity, claims }),
    checkpoint: () => void claims.claimUsedUp(),
    log,
    signal,
  });
  await onChain.subscribe(identity, subscriptions);
  const commitKey = () =>
    onChain
      .commitKey(identity, {
        publicKey: Buffer.from(node.sealingKey(), 'base64'),
        evidence: noEvidence,
        counter: options.keyRound,
      })
      .catch((cause: unknown) => log.warn({ err: cause }, 'the sealing key is not published'));
  const registering =
    gatewayUrl === undefined
      ? Promise.resolve()
      : keepRegistered({
          gatewayUrl,
          body: registrationOf(options, identity),
          // A gateway that has just come has not seen an earlier commitment.
          taken: () => void commitKey(),
          log,
          signal,
        });

  return {
    node,
    nodeId: identity.nodeId,
    setClaims: claims.setHabit,
    claimAll: claims.claimAll,
    claims: claims.granted,
    async close() {
      ending.abort();
      await Promise.all([following.ended, registering, claims.idle()]);
      fullNode.close();
      connection.close();
    },
  };
}

/** A stack that was bought is served, one that was claimed is not. */
function obey(
  event: ChainEvent,
  parts: { node: AtomaNodeHandle; identity: NodeIdentity; claims: Claims },
): void {
  const { node, identity, claims } = parts;
  if (!('nodeId' in event) || event.nodeId !== identity.nodeId) return;
  if (event.kind === 'stack-created') {
    const { stackId, owner, units } = event;
    node.sellStack({ id: String(stackId), owner, units: Number(units) });
  }
  if (event.kind === 'stack-claimed') claims.grant(event);
}

function registrationOf(options: ChainLifeOptions, { nodeId }: NodeIdentity) {
  const { keystoreEntry, country, node } = options;
  const key = parseKeystoreEntry(keystoreEntry);
  if (!key) throw new Error('the keystore entry is not an Ed25519 one');
  return signRegistration(key, {
    node_small_id: Number(nodeId),
    public_address: node.url,
    country,
  });
}
