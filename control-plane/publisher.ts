/**
 * Brings the fleet to Envoy and the catalogue to the services, in the order in which no admitted request finds its model
 * missing: what is new goes to Envoy first, what leaves goes from the catalogue first.
 */
import { emptyFleet, type Fleet, type Stack } from '../domain/fleet.ts';
import { type Catalogue, emptyCatalogue } from '../domain/model.ts';
import type { Logger } from '../runtime/log.ts';
import { buildCatalogue, type Prices } from './catalogue.ts';
import { fingerprintOf } from './fingerprint.ts';
import { type LeavingModel, leavingFrom, withLeaving } from './leaving.ts';
import { chooseStacks, poolsOf, type StackUse, type StackUses } from './stacks.ts';

/** How long Envoy may take to accept a new model before callers are told of it all the same. */
const acceptWaitMs = 300;
/** How long a withdrawn model stays in Envoy: far longer than a service takes to hear of it. */
export const leavingGraceMs = 2000;
const stackPollMs = 500;
const retryMs = 1000;
/** How often to check that what was published is still there; a restart of Redis may lose the last second. */
const verifyMs = 5000;

/** `discovered` is the fleet before its stacks were chosen. */
export type Seen = {
  readonly discovered: Fleet;
  readonly fleet: Fleet;
  readonly catalogue: Catalogue;
  readonly uses: StackUses;
};

export type PublisherPorts = {
  /** Hands a configuration for this fleet to all Envoys. */
  readonly configure: (fleet: Fleet) => void;
  /** Resolves once all connected Envoys have accepted, or the time is over. */
  readonly untilAccepted: (timeoutMs: number) => Promise<unknown>;
  readonly publish: (catalogue: Catalogue) => Promise<void>;
  readonly publishedVersion: () => Promise<string>;
  readonly listPrices: () => Promise<Prices>;
  readonly stackUse: (model: string) => Promise<StackUse>;
  readonly syncStacks: (model: string, stacks: readonly Stack[]) => Promise<void>;
  /** The keys to which nodes' requests are sealed now. */
  readonly publishSealingKeys: (keys: readonly string[]) => Promise<void>;
  /** For metrics. */
  readonly observe: (seen: Seen) => void;
  readonly nowMs: () => number;
  readonly log: Logger;
};

export class Publisher {
  readonly #ports: PublisherPorts;
  readonly #ending = new AbortController();
  #fleet: Fleet | undefined;
  #prices: Prices = new Map();
  #uses: StackUses = new Map();
  #synced = new Map<string, string>();
  #configured: Fleet = emptyFleet;
  #configuredVersion = '';
  #catalogue: Catalogue = emptyCatalogue;
  #chosen: Fleet = emptyFleet;
  #keys = { version: '', publishedMs: 0 };
  #leaving: readonly LeavingModel[] = [];
  #store: 'reached' | 'away' = 'reached';
  #asked = 0;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: PublisherPorts) {
    this.#ports = ports;
  }

  /** The catalogue as it was last derived, whether or not Redis could take it. */
  get catalogue(): Catalogue {
    return this.#catalogue;
  }

  /** The nodes that can be called now, each with the stacks that can pay. */
  get fleet(): Fleet {
    return this.#chosen;
  }

  setFleet(fleet: Fleet): void {
    this.#fleet = fleet;
    this.refresh();
  }

  /** Derives and publishes everything again, for example because a price has changed. */
  refresh(): void {
    this.#asked += 1;
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    // Never in the same turn as `refresh`, so that `#running` is set before it ends.
    await Promise.resolve();
    clearTimeout(this.#timer);
    let answered = 0;
    while (answered !== this.#asked && !this.#ending.signal.aborted) {
      answered = this.#asked;
      if (this.#fleet) await this.#publish(this.#fleet);
    }
    this.#running = undefined;
    if (!this.#ending.signal.aborted) {
      this.#timer = setTimeout(() => this.refresh(), this.#pauseMs()).unref();
    }
  }

  #pauseMs(): number {
    if (this.#leaving.length > 0 || this.#hasStacks()) return stackPollMs;
    return this.#store === 'away' ? retryMs : verifyMs;
  }

  #hasStacks(): boolean {
    return this.#fleet !== undefined && poolsOf(this.#fleet).size > 0;
  }

  async #publish(discovered: Fleet): Promise<void> {
    const isStacksKnown = await this.#tryStore(() => this.#readUses(discovered));
    const fleet = chooseStacks(discovered, this.#uses);
    this.#chosen = fleet;
    const isNew = this.#configure(fleet);
    const isStored = await this.#tryStore(async () => {
      this.#prices = await this.#ports.listPrices();
    });
    const catalogue = buildCatalogue(fleet, this.#prices);
    this.#ports.observe({ discovered, fleet, catalogue, uses: this.#uses });
    this.#catalogue = catalogue;
    if (isNew) await this.#ports.untilAccepted(acceptWaitMs);
    // Without the operator's prices nothing may be offered: the discovered ones could be lower.
    const isPublished =
      isStored &&
      (await this.#tryStore(async () => {
        await this.#publishKeys(discovered);
        await this.#publishCatalogue(catalogue, fleet);
      }));
    if (isPublished) this.#startGrace();
    this.#report(isStacksKnown && isPublished);
  }

  /** Redis may be away: Envoy is configured all the same, and the rest is tried again. */
  async #tryStore(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (cause) {
      if (this.#store === 'reached') {
        this.#ports.log.error({ err: cause }, 'could not reach the storage; trying again');
      }
      this.#store = 'away';
      return false;
    }
  }

  #report(isWell: boolean): void {
    if (isWell && this.#store === 'away') this.#ports.log.info('the storage is back');
    this.#store = isWell ? 'reached' : 'away';
  }

  async #readUses(fleet: Fleet): Promise<void> {
    const models = [...poolsOf(fleet).keys()];
    const uses = await Promise.all(
      models.map(async (model) => [model, await this.#ports.stackUse(model)] as const),
    );
    this.#uses = new Map(uses);
  }

  /** True where Envoy hears of a model that it did not know. */
  #configure(fleet: Fleet): boolean {
    const nowMs = this.#ports.nowMs();
    const before = this.#configured;
    this.#leaving = leavingFrom({ before, now: fleet, leaving: this.#leaving, nowMs });
    const configured = withLeaving(fleet, this.#leaving);
    const version = fingerprintOf(configured);
    if (version === this.#configuredVersion) return false;
    const known = new Set(before.models.map(({ id }) => id));
    this.#configured = configured;
    this.#configuredVersion = version;
    this.#ports.configure(configured);
    return configured.models.some(({ id }) => !known.has(id));
  }

  async #publishCatalogue(catalogue: Catalogue, fleet: Fleet): Promise<void> {
    await this.#syncPools(fleet);
    if ((await this.#ports.publishedVersion()) === catalogue.version) return;
    await this.#ports.publish(catalogue);
    const { version, models } = catalogue;
    this.#ports.log.info({ version, models: models.length }, 'catalogue published');
  }

  /** Again from time to time, since Redis may have lost them. */
  async #publishKeys({ nodes }: Fleet): Promise<void> {
    const keys = nodes.flatMap(({ sealingKey }) => (sealingKey === '' ? [] : [sealingKey]));
    const version = fingerprintOf(keys);
    const nowMs = this.#ports.nowMs();
    const isFresh = nowMs - this.#keys.publishedMs < verifyMs;
    if (version === this.#keys.version && isFresh) return;
    await this.#ports.publishSealingKeys(keys);
    this.#keys = { version, publishedMs: nowMs };
  }

  async #syncPools(fleet: Fleet): Promise<void> {
    const pools = poolsOf(fleet);
    const models = new Set([...pools.keys(), ...this.#synced.keys()]);
    for (const model of models) {
      const stacks = pools.get(model) ?? [];
      const version = fingerprintOf(stacks);
      const use = this.#uses.get(model);
      const isKept = stacks.every(({ id }) => use?.get(id)?.live);
      if (this.#synced.get(model) === version && isKept) continue;
      await this.#ports.syncStacks(model, stacks);
      this.#synced.set(model, version);
    }
  }

  #startGrace(): void {
    const untilMs = this.#ports.nowMs() + leavingGraceMs;
    this.#leaving = this.#leaving.map((model) => ({
      ...model,
      untilMs: model.untilMs ?? untilMs,
    }));
  }
}
