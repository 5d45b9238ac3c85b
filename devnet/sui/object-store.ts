/** The objects of one ledger: the live ones, their earlier versions, and who owns what. */

import type { LedgerObject } from './objects.ts';
import { byText } from './order.ts';

export type ObjectStore = ReturnType<typeof createObjectStore>;

export function createObjectStore() {
  const live = new Map<string, LedgerObject>();
  const earlier = new Map<string, LedgerObject[]>();
  const owned = new Map<string, Set<string>>();

  function unlink(object: LedgerObject): void {
    const place = placeOf(object);
    if (place !== undefined) owned.get(place)?.delete(object.id);
  }

  function retire(id: string): void {
    const object = live.get(id);
    if (!object) return;
    unlink(object);
    live.delete(id);
    const past = earlier.get(id) ?? [];
    past.push(object);
    earlier.set(id, past);
  }

  return {
    get: (id: string): LedgerObject | undefined => live.get(id),
    /** That very version, whether or not it is the live one. */
    at(id: string, version: bigint): LedgerObject | undefined {
      const current = live.get(id);
      if (current?.version === version) return current;
      return earlier.get(id)?.find((object) => object.version === version);
    },
    put(object: LedgerObject): void {
      retire(object.id);
      live.set(object.id, object);
      const place = placeOf(object);
      if (place === undefined) return;
      const ids = owned.get(place) ?? new Set();
      owned.set(place, ids.add(object.id));
    },
    remove: retire,
    /** Objects of an address, or children of an object, by id. */
    ownedBy(owner: string): readonly LedgerObject[] {
      return [...(owned.get(owner) ?? [])].sort(byText).flatMap((id) => live.get(id) ?? []);
    },
    forgetEarlier(): void {
      earlier.clear();
    },
  };
}

function placeOf({ owner }: LedgerObject): string | undefined {
  if (owner.kind === 'address') return owner.address;
  return owner.kind === 'object' ? owner.id : undefined;
}
