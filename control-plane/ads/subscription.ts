/** What one Envoy has asked for of one type, what it was given, and whether it accepted. Both protocols come down to this. */
import type { Resource, Resources } from '../translate/snapshot.ts';

/** A request in the words of the delta protocol. */
export type Request = {
  /** Names that are asked for; `*` or none at all in the first request mean everything. */
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name to version of what Envoy still has from an earlier stream. */
  readonly initialVersions: Readonly<Record<string, string>>;
  /** The response that this answers; empty where it answers none. */
  readonly nonce: string;
  /** Envoy's reason where it refuses that response. */
  readonly refusal: string | undefined;
};

export type Difference = {
  readonly changed: readonly Resource[];
  readonly removed: readonly string[];
};

export type Verdict =
  | { readonly kind: 'none' }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly reason: string; readonly names: readonly string[] };

const everything = '*';

export class Subscription {
  #all: boolean = false;
  readonly #names = new Set<string>();
  readonly #given = new Map<string, string>();
  /** To be sent whatever version Envoy has. */
  readonly #due = new Set<string>();
  #isNew: boolean = true;
  #greeted = false;
  #pending: { readonly nonce: string; readonly names: readonly string[] } | undefined;
  #refused = false;

  /** Whether a response is still unanswered. */
  get isWaiting(): boolean {
    return this.#pending !== undefined;
  }

  /** Whether the last answer was a refusal: Envoy then keeps what it had. */
  get isRefused(): boolean {
    return this.#refused;
  }

  /** Whether Envoy has asked for this type at all. */
  get isOpen(): boolean {
    return !this.#isNew;
  }

  hear(request: Request): Verdict {
    if (this.#isNew && request.subscribe.length === 0) this.#all = true;
    if (this.#isNew) this.#adopt(request.initialVersions);
    for (const name of request.subscribe) this.#subscribe(name, request.initialVersions);
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    this.#isNew = false;
    return this.#judge(request);
  }

  /** Names to send again even where their version is known, as soon as Envoy asks for them. */
  owe(names: Iterable<string>): void {
    for (const name of names) this.#due.add(name);
  }

  /** What Envoy lacks; nothing where it has all. Removals can be left for later. */
  differenceTo(resources: Resources, options: { removals: boolean }): Difference | undefined {
    if (this.#isNew) return undefined;
    const changed = [...resources.values()].filter(
      ({ name, version }) =>
        this.#wants(name) && (this.#due.has(name) || this.#given.get(name) !== version),
    );
    const missing = [...this.#due].filter((name) => this.#names.has(name) && !resources.has(name));
    const gone = options.removals
      ? [...this.#given.keys()].filter((name) => !resources.has(name))
      : [];
    const removed = [...new Set([...missing, ...gone])];
    const isEmpty = changed.length === 0 && removed.length === 0;
    return isEmpty && this.#greeted ? undefined : { changed, removed };
  }

  sent({ changed, removed }: Difference, nonce: string): void {
    this.#greeted = true;
    this.#pending = { nonce, names: changed.map(({ name }) => name) };
    for (const { name, version } of changed) {
      this.#due.delete(name);
      this.#given.set(name, version);
    }
    for (const name of removed) {
      this.#due.delete(name);
      this.#given.delete(name);
    }
  }

  #wants(name: string): boolean {
    return this.#all || this.#names.has(name);
  }

  #adopt(versions: Readonly<Record<string, string>>): void {
    for (const [name, version] of Object.entries(versions)) this.#given.set(name, version);
    // An Envoy that comes back needs no greeting when nothing has changed.
    if (this.#given.size > 0) this.#greeted = true;
  }

  #subscribe(name: string, held: Readonly<Record<string, string>>): void {
    if (name === everything) {
      this.#all = true;
      return;
    }
    this.#names.add(name);
    if (held[name] === undefined) this.#due.add(name);
  }

  #unsubscribe(name: string): void {
    if (name === everything) this.#all = false;
    this.#names.delete(name);
    this.#due.delete(name);
    if (!this.#wants(name)) this.#given.delete(name);
  }

  #judge({ nonce, refusal }: Request): Verdict {
    if (nonce === '') return { kind: 'none' };
    const answered = this.#pending?.nonce === nonce ? this.#pending : undefined;
    if (answered) {
      this.#pending = undefined;
      this.#refused = refusal !== undefined;
    }
    if (refusal === undefined) return { kind: 'accepted' };
    return { kind: 'refused', reason: refusal, names: answered?.names ?? [] };
  }
}
