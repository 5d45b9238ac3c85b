/** Follows the contract's events: every checkpoint in order, from the one after now. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventTypes } from '../chain/bcs/event-types.ts';
import type { FullNode } from '../chain/full-node.ts';
import type { ChainEvent } from '../domain/chain-event.ts';
import type { Logger } from '../runtime/log.ts';

const retryMs = 200;

export type EventFollower = {
  readonly fullNode: FullNode;
  readonly types: EventTypes;
  readonly event: (event: ChainEvent) => void;
  /** After all events of a checkpoint. */
  readonly checkpoint: () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
};

/** Resolves when following has begun; `ended` when it has stopped, which only the signal makes it do. */
export async function followEvents(options: EventFollower): Promise<{ ended: Promise<void> }> {
  const { height } = await options.fullNode.view(options.signal);
  return { ended: follow(options, height + 1n) };
}

async function follow(options: EventFollower, first: bigint): Promise<void> {
  const { fullNode, log, signal } = options;
  let next = first;
  while (!signal.aborted) {
    try {
      for await (const height of fullNode.followHeights(signal)) {
        for (; next <= height; next += 1n) await readCheckpoint(options, next);
      }
    } catch (cause) {
      if (signal.aborted) return;
      log.warn({ err: cause }, 'the chain cannot be followed');
    }
    await sleep(retryMs, undefined, { signal }).catch(() => undefined);
  }
}

async function readCheckpoint(options: EventFollower, height: bigint): Promise<void> {
  const { fullNode, types, event, checkpoint, signal } = options;
  for (const { type, contents } of await fullNode.checkpointEvents(height, signal)) {
    const reading = types.read(type, contents);
    if (reading.kind === 'event') event(reading.event);
  }
  checkpoint();
}
