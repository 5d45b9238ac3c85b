/**
 * Why an exchange broke off. From here a caller that left and a node that broke look the same; Envoy's access log knows,
 * a moment later, and its entry may reach another replica, which passes the word on.
 */
import type { Ending } from '../domain/reservation.ts';
import type { CauseNotices } from '../storage/cause-notices.ts';

/** Five times the interval at which Envoy flushes its log. */
const waitMsDefault = 1000;
/** Words that came before the end of the stream that they are about. */
const earlyMax = 1000;
/** By far the most frequent, where nobody names another. */
const presumed: Ending = 'client-aborted';

export function createCauses({ notices, waitMs = waitMsDefault }: CauseOptions) {
  const waiting = new Map<string, (ending: Ending) => void>();
  const early = new Map<string, Ending>();
  const stopListening = notices.listen(hear);

  function hear(requestId: string, ending: Ending): boolean {
    const found = waiting.get(requestId);
    found?.(ending);
    if (!found) keepEarly(requestId, ending);
    return found !== undefined;
  }

  function keepEarly(requestId: string, ending: Ending): void {
    early.set(requestId, ending);
    if (early.size <= earlyMax) return;
    for (const oldest of early.keys()) {
      early.delete(oldest);
      return;
    }
  }

  return {
    /** Calls back once, at the latest when the time is over. */
    find(requestId: string, done: (ending: Ending) => void): void {
      const known = early.get(requestId);
      early.delete(requestId);
      if (known !== undefined) {
        done(known);
        return;
      }
      const resolve = (ending: Ending) => {
        clearTimeout(timer);
        waiting.delete(requestId);
        done(ending);
      };
      const timer = setTimeout(() => resolve(presumed), waitMs);
      waiting.set(requestId, resolve);
    },
    /** What the access log says; true where an exchange of this process has waited for it. */
    tell(requestId: string, ending: Ending): boolean {
      if (hear(requestId, ending)) return true;
      notices.announce(requestId, ending);
      return false;
    },
    /** Nobody waits any longer. */
    close(): void {
      stopListening();
      for (const resolve of waiting.values()) resolve(presumed);
    },
  };
}

type CauseOptions = { readonly notices: CauseNotices; readonly waitMs?: number };

export type Causes = ReturnType<typeof createCauses>;
