/** What a transaction changes before it is known whether it succeeds: an overlay that is kept or thrown away whole. */

import { derivedId } from './digest.ts';
import type { ObjectStore } from './object-store.ts';
import type { DraftObject, LedgerObject } from './objects.ts';
import { byText } from './order.ts';

export type LedgerEvent = {
  /** Package and module of the function that was called, which upgrades change. */
  readonly packageId: string;
  readonly module: string;
  readonly sender: string;
  /** The type, under the package that first defined it. */
  readonly type: string;
  readonly contents: Uint8Array;
};

export type Change = {
  readonly id: string;
  readonly before: LedgerObject | undefined;
  readonly after: DraftObject | undefined;
};

export type Draft = ReturnType<typeof createDraft>;

/** Opens an overlay over the store for the transaction of that digest. */
export function createDraft(store: Pick<ObjectStore, 'get'>, transactionDigest: string) {
  const written = new Map<string, DraftObject | undefined>();
  const events: LedgerEvent[] = [];
  let created = 0n;

  const read = (id: string): DraftObject | undefined =>
    written.has(id) ? written.get(id) : store.get(id);

  return {
    read,
    /** The object must be there: its absence is a bug of this model, not of a caller. */
    expect(id: string): DraftObject {
      const object = read(id);
      if (!object) throw new Error(`object ${id} is not in the ledger`);
      return object;
    },
    freshId(): string {
      const id = derivedId(transactionDigest, created);
      created += 1n;
      return id;
    },
    write(object: DraftObject): void {
      written.set(object.id, object);
    },
    /** Gives an input a new version though nothing in it changes. */
    touch(id: string): void {
      const object = read(id);
      if (object) written.set(id, object);
    },
    remove(id: string): void {
      written.set(id, undefined);
    },
    emit(event: LedgerEvent): void {
      events.push(event);
    },
    events: (): readonly LedgerEvent[] => events,
    /** By id; what was created and removed again is left out. */
    changes(): readonly Change[] {
      return [...written]
        .map(([id, after]) => ({ id, before: store.get(id), after }))
        .filter(({ before, after }) => before !== undefined || after !== undefined)
        .sort((a, b) => byText(a.id, b.id));
    },
  };
}
