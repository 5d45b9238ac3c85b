/**
 * Remembers keys for less than a second, so that a busy key costs no look-up per request and a revocation still works
 * within that second where its announcement is lost.
 */
import type { ApiKey } from '../domain/api-key.ts';

/** Below one second by more than a slow look-up takes; the age counts from the start of the look-up. */
const keyTtlMs = 800;
const keysMax = 20_000;
const strangersMax = 10_000;

const lookUpsMax = 10_000;

type Found = ApiKey | undefined;
type Remembered = { readonly expiresMs: number; readonly value: Found };
type Pending = { readonly expiresMs: number; readonly value: Promise<Found> };

export type KeyCache = {
  /** The key with this hash; nothing where there is none. Answers at once where the key is remembered. */
  find(hash: string): Found | Promise<Found>;
  /** Forgets one key, also one that is just being looked up. */
  invalidate(hash: string): void;
  /** Forgets every key, for when announcements may have been missed. */
  clear(): void;
};

export function createKeyCache(options: {
  readonly lookUp: (hash: string) => Promise<Found>;
  readonly nowMs: () => number;
}): KeyCache {
  const { lookUp, nowMs } = options;
  // Hashes that are no keys have a space of their own, so that guesses cannot push keys out.
  const keys = createBoundedMap(keysMax);
  const strangers = createBoundedMap(strangersMax);
  const pending = new Map<string, Pending>();

  function load(hash: string, expiresMs: number): Promise<Found> {
    if (pending.size >= lookUpsMax) throw new Error(`more than ${lookUpsMax} look-ups of keys`);
    const entry = { expiresMs, value: lookUp(hash) };
    pending.set(hash, entry);

    // What was invalidated or superseded during the look-up is not remembered.
    const end = (remember: () => void) => {
      if (pending.get(hash) !== entry) return;
      pending.delete(hash);
      remember();
    };
    entry.value.then(
      (value) => end(() => (value ? keys : strangers).set(hash, { expiresMs, value })),
      () => end(() => undefined),
    );
    return entry.value;
  }

  return {
    find(hash) {
      const now = nowMs();
      const known = keys.get(hash) ?? strangers.get(hash) ?? pending.get(hash);
      if (known && known.expiresMs > now) return known.value;
      keys.delete(hash);
      strangers.delete(hash);
      return load(hash, now + keyTtlMs);
    },
    invalidate(hash) {
      keys.delete(hash);
      strangers.delete(hash);
      pending.delete(hash);
    },
    clear() {
      keys.clear();
      strangers.clear();
      pending.clear();
    },
  };
}

/** A map that forgets its oldest entry where a new one would be too many. */
function createBoundedMap(entriesMax: number) {
  const entries = new Map<string, Remembered>();
  return {
    get: (hash: string) => entries.get(hash),
    delete: (hash: string) => entries.delete(hash),
    clear: () => entries.clear(),
    set(hash: string, entry: Remembered) {
      if (entries.size >= entriesMax) {
        const { value: oldest } = entries.keys().next();
        if (oldest !== undefined) entries.delete(oldest);
      }
      entries.set(hash, entry);
    },
  };
}
