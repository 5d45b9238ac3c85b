/**
 * Tells which events are the contract's: by the full type, since any package can emit an event of the same name. A type
 * names the package that first defined it, so one contract may have several such packages (Atoma on Sui, section 10).
 */
import { isValidStructTag, normalizeStructTag } from '@mysten/sui/utils';
import { type ChainEvent, type ChainEventKind, chainEventKinds } from '../../domain/chain-event.ts';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { decodeEvent, eventName } from './events.ts';

type EventReading =
  | { readonly kind: 'event'; readonly event: ChainEvent }
  | { readonly kind: 'foreign' }
  /** Of the contract's own type, and yet not readable: the layout differs from what is known. */
  | { readonly kind: 'poison'; readonly reason: string };

export type EventTypes = {
  /** The full types, for a filter. */
  readonly all: readonly string[];
  read(type: string, contents: Uint8Array): EventReading;
};

/** `definingPackages` has every package that defines an event type of the contract, the first one first. */
export function createEventTypes(definingPackages: readonly SuiAddress[]): EventTypes {
  const kinds: ReadonlyMap<string, ChainEventKind> = new Map(
    definingPackages.flatMap((definer) =>
      chainEventKinds.map((kind) => [`${definer}::db::${eventName(kind)}`, kind] as const),
    ),
  );
  return {
    all: [...kinds.keys()],
    read(type, contents) {
      const kind = isValidStructTag(type) ? kinds.get(normalizeStructTag(type)) : undefined;
      if (kind === undefined) return { kind: 'foreign' };
      try {
        return { kind: 'event', event: decodeEvent(kind, contents) };
      } catch (cause) {
        return { kind: 'poison', reason: String(cause) };
      }
    },
  };
}
