/**
 * Brings one Envoy from what it has to the newest snapshot, in the order that never points at what is not there yet:
 * clusters with their endpoints, then listeners with their routes, and removals last.
 */
import { type ResourceType, resourceTypes, type Snapshot } from '../translate/snapshot.ts';
import { type Difference, type Request, Subscription, type Verdict } from './subscription.ts';

export type Outgoing = Difference & { readonly type: ResourceType; readonly nonce: string };

export type StreamPorts = {
  readonly send: (response: Outgoing, snapshot: Snapshot) => void;
  /** Told of each acceptance and refusal. */
  readonly observe: (type: ResourceType, verdict: Exclude<Verdict, { kind: 'none' }>) => void;
  /** Told whenever this Envoy has got as far as it can. */
  readonly settled: () => void;
};

export class ConfigStream {
  readonly #ports: StreamPorts;
  readonly #subscriptions = {
    cluster: new Subscription(),
    endpoint: new Subscription(),
    listener: new Subscription(),
    route: new Subscription(),
  } as const satisfies Record<ResourceType, Subscription>;
  #snapshot: Snapshot | undefined;
  #nonce = 0;
  #reached = '';

  constructor(ports: StreamPorts) {
    this.#ports = ports;
  }

  /** Whether this Envoy has all of the snapshot and has refused nothing of it. */
  hasAccepted(snapshot: Snapshot): boolean {
    const refused = resourceTypes.some((type) => this.#subscriptions[type].isRefused);
    return this.#reached === snapshot.version && !refused;
  }

  hear(type: ResourceType, request: Request): void {
    const verdict = this.#subscriptions[type].hear(request);
    if (verdict.kind !== 'none') this.#ports.observe(type, verdict);
    if (verdict.kind === 'refused') this.#sendApart(type, verdict.names);
    this.#advance();
  }

  update(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#advance();
  }

  #advance(): void {
    const snapshot = this.#snapshot;
    if (!snapshot) return;

    this.#bring('cluster', snapshot, { removals: false });
    this.#bring('endpoint', snapshot, { removals: false });
    if (this.#isWaitingFor('cluster', 'endpoint')) return;
    this.#bring('listener', snapshot, { removals: true });
    this.#bring('route', snapshot, { removals: true });
    if (this.#isWaitingFor('listener', 'route')) return;
    this.#bring('cluster', snapshot, { removals: true });
    this.#bring('endpoint', snapshot, { removals: true });
    if (this.#isWaitingFor('cluster', 'endpoint')) return;

    const { cluster, listener } = this.#subscriptions;
    if (cluster.isOpen && listener.isOpen) this.#reached = snapshot.version;
    this.#ports.settled();
  }

  #bring(type: ResourceType, snapshot: Snapshot, options: { removals: boolean }): void {
    const difference = this.#subscriptions[type].differenceTo(snapshot.resources[type], options);
    if (difference) this.#send(type, difference, snapshot);
  }

  #send(type: ResourceType, difference: Difference, snapshot: Snapshot): void {
    this.#nonce += 1;
    const nonce = String(this.#nonce);
    this.#subscriptions[type].sent(difference, nonce);
    // A changed cluster waits for its endpoints but does not ask for them again.
    this.#subscriptions.endpoint.owe(
      difference.changed
        .flatMap(({ refersTo }) => refersTo)
        .filter((reference) => reference.type === 'endpoint')
        .map(({ name }) => name),
    );
    this.#ports.send({ ...difference, type, nonce }, snapshot);
  }

  /** Envoy drops all of a response for one bad resource in it: each gets its own, so that the good ones arrive. */
  #sendApart(type: ResourceType, names: readonly string[]): void {
    const snapshot = this.#snapshot;
    if (!snapshot || names.length < 2) return;
    for (const name of names) {
      const resource = snapshot.resources[type].get(name);
      if (resource) this.#send(type, { changed: [resource], removed: [] }, snapshot);
    }
  }

  #isWaitingFor(...types: readonly ResourceType[]): boolean {
    return types.some((type) => this.#subscriptions[type].isWaiting);
  }
}
