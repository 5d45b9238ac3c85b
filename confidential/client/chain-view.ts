/**
 * What the chain says about nodes, read from the caller's own full node. For Node alone, since it speaks gRPC. The key in
 * use is that of a node's latest commitment: the contract's table may hold an older one (Atoma on Sui, section 8).
 */
import { createEventTypes } from '../../chain/bcs/event-types.ts';
import { eventName } from '../../chain/bcs/events.ts';
import { createFullNode } from '../../chain/client.ts';
import { type FullNode, FullNodeError } from '../../chain/full-node.ts';
import { backoffMs } from '../../chain/grpc/retry.ts';
import { readListing } from '../../chain/indexer/pass.ts';
import { parseSuiAddress, type SuiAddress } from '../../domain/chain-ids.ts';
import type { ChainView } from './trust.ts';

/** Listings that one question may take; a first question reads everything that the full node still has. */
const listingsMax = 10_000;

/** The same over gRPC to a full node at `http(s)://host:port`; another chain than the one named is not believed. */
export function connectChainView(options: {
  readonly fullNode: string;
  /** The digest of the chain's genesis checkpoint. */
  readonly chainId: string;
  readonly definingPackage: SuiAddress;
}): Required<ChainView> & { close(): void } {
  const { chainId, definingPackage } = options;
  const { protocol, hostname, port } = new URL(options.fullNode);
  const tls = protocol === 'https:';
  const fullNode = createFullNode({
    host: `${hostname}:${port || (tls ? '443' : '80')}`,
    tls,
    pauseMs: (attempt) => backoffMs({ attempt, random: Math.random() }),
    // The database is never read.
    ids: { chainId, definingPackage, databaseId: definingPackage },
  });
  return { ...createChainView({ fullNode, definingPackage }), close: () => fullNode.close() };
}

/** Reads commitments as far as the ledger goes whenever it is asked, and remembers them. */
export function createChainView(options: {
  readonly fullNode: Pick<FullNode, 'view' | 'listEvents' | 'nodeBadges'>;
  /** The package that first defined the contract's types. */
  readonly definingPackage: SuiAddress;
}): Required<ChainView> {
  const { fullNode } = options;
  const types = createEventTypes([options.definingPackage]);
  const commitment = `${options.definingPackage}::db::${eventName('node-key-committed')}`;
  const keys = new Map<bigint, Uint8Array>();
  let next = 0n;
  let reading = Promise.resolve();

  async function readOn(signal: AbortSignal): Promise<void> {
    const { height, lowestCheckpoint } = await fullNode.view(signal);
    for (let listings = 0; next <= height; listings += 1) {
      if (listings === listingsMax) throw new FullNodeError('unavailable', 'too many listings');
      const start = next < lowestCheckpoint ? lowestCheckpoint : next;
      await readStretch({ start, end: height + 1n }, signal);
    }
  }

  async function readStretch(range: { start: bigint; end: bigint }, signal: AbortSignal) {
    const { start, end } = range;
    const bounds = { after: undefined, startCheckpoint: start, endCheckpoint: end };
    const frames = fullNode.listEvents({ ...bounds, types: [commitment] }, signal);
    const pass = await readListing(frames, range);
    if (pass.failure) throw pass.failure;
    const covered = pass.end === 'checkpoint-bound' ? end - 1n : pass.covered;
    if (covered === undefined || covered < start) {
      throw new FullNodeError('unavailable', 'the events are not listed as far as the ledger goes');
    }
    for (const { type, contents, position } of pass.items) {
      if (position.checkpoint <= covered) take(type, contents);
    }
    next = covered + 1n;
  }

  function take(type: string, contents: Uint8Array): void {
    const read = types.read(type, contents);
    if (read.kind !== 'event' || read.event.kind !== 'node-key-committed') return;
    keys.set(read.event.nodeId, read.event.publicKey);
  }

  return {
    async lookUpKey(nodeSmallId, signal) {
      // One after the other, so that no two take in the same stretch; each has its own signal.
      reading = reading.catch(() => undefined).then(() => readOn(signal));
      await reading;
      return keys.get(nodeSmallId);
    },
    async ownsNode({ nodeSmallId, address }, signal) {
      const owner = parseSuiAddress(address);
      if (!owner) return false;
      for await (const badges of fullNode.nodeBadges(owner, signal)) {
        if (badges.some(({ nodeId }) => nodeId === nodeSmallId)) return true;
      }
      return false;
    },
  };
}
