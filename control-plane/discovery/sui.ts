/** Discovery from the chain: the rows that the follower keeps, and the addresses that nodes' owners have registered. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChainState } from '../../chain/indexer/state.ts';
import { nodeNameOf } from '../../domain/chain-ids.ts';
import type { Logger } from '../../runtime/log.ts';
import type { ChainRecords } from '../../storage/chain-store.ts';
import type { NodeRegistration, NodeRegistrations } from '../../storage/node-registrations.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { AddressBook } from '../nodes/address-book.ts';
import type { Trust } from '../treasury/trust.ts';
import {
  type ChainFleet,
  type ChainRows,
  type ModelDefaults,
  toChainFleet,
} from './chain-fleet.ts';
import type { DiscoverySource, Notify } from './source.ts';

const sourceName = 'sui';

export type SuiSourcePorts = {
  readonly records: Pick<ChainRecords, 'load' | 'onChange' | 'saveReport'>;
  readonly registrations: Pick<NodeRegistrations, 'list'>;
  readonly book: AddressBook;
  readonly defaults: ModelDefaults;
  readonly observe: (standings: ChainFleet['standings']) => void;
  /** Told of each reading; the answer is how far nodes are to be trusted. */
  readonly judge: (rows: ChainState) => Promise<Pick<Trust, 'percentOf'>>;
  readonly countFailure: (source: string) => void;
  readonly log: Logger;
};

/** After a start the known addresses are looked up first, but nobody waits longer for it than this. */
const firstLookupMsMax = 2500;
/** Later the others do not wait long for what is new. */
const lookupMsMax = 300;
/** A message that rows have changed may get lost. */
const reloadMs = 10_000;
const retryMs = 500;
const placesMs = 30_000;
const ownersMs = 300_000;

export function createSuiSource(ports: SuiSourcePorts): DiscoverySource {
  const log = ports.log.child({ source: sourceName });
  const ending = new AbortController();
  const running: Promise<void>[] = [];
  let stopListening: () => void = () => undefined;
  return {
    name: sourceName,
    async start(notify) {
      const view = new SuiView({ ...ports, log, notify, signal: ending.signal });
      await view.refresh();
      stopListening = ports.records.onChange(() => void view.refresh());
      const { book } = ports;
      const recheckOwners = () => book.recheckOwners().then(() => view.tell());
      running.push(
        // Badges may have changed hands while nobody was here to see it.
        recheckOwners(),
        every(reloadMs, ending.signal, () => view.refresh()),
        every(placesMs, ending.signal, () => book.recheckPlaces().then(() => view.tell())),
        every(ownersMs, ending.signal, recheckOwners),
      );
    },
    async close() {
      ending.abort();
      stopListening();
      await Promise.all(running);
    },
  };
}

/** Again and again, with jitter so that several control planes do not ask in step. */
async function every(
  periodMs: number,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await pause(periodMs * (0.8 + 0.4 * Math.random()), signal);
    if (!signal.aborted) await work();
  }
}

/** Ends early with the signal. */
const pause = (ms: number, signal: AbortSignal) =>
  sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);

type ViewOptions = SuiSourcePorts & { readonly notify: Notify; readonly signal: AbortSignal };

/** What was last read, and what has been told of it. */
class SuiView {
  readonly #options: ViewOptions;
  #rows: ChainRows | undefined;
  #trust: Pick<Trust, 'percentOf'> = { percentOf: () => 100 };
  #registrations: readonly NodeRegistration[] = [];
  #told = '';
  #saved = '';
  #asked = 0;
  #running: Promise<void> | undefined;
  #isFailing = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: ViewOptions) {
    this.#options = options;
  }

  /** Reads everything; calls during a reading lead to one more. Never rejects. */
  refresh(): Promise<void> {
    this.#asked += 1;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    let answered = 0;
    const { signal } = this.#options;
    while (answered !== this.#asked && !signal.aborted) {
      answered = this.#asked;
      const startMs = performance.now();
      await this.#read();
      // On a busy chain at least half of the time is left to others.
      const pauseMs = performance.now() - startMs;
      if (answered !== this.#asked) await pause(pauseMs, signal);
    }
    this.#running = undefined;
  }

  async #read(): Promise<void> {
    const { records, registrations, book, countFailure, log } = this.#options;
    try {
      const chain = await records.load();
      this.#registrations = await registrations.list();
      const waitMs = this.#rows ? lookupMsMax : firstLookupMsMax;
      if (chain) this.#trust = await this.#options.judge(chain.state);
      this.#rows = chain?.state;
      const looking = book.update(this.#registrations).then(() => this.tell());
      await Promise.race([looking, sleep(waitMs, undefined, { ref: false })]);
      await this.tell();
      this.#isFailing = false;
    } catch (cause) {
      countFailure(sourceName);
      if (!this.#isFailing) log.error({ err: cause }, 'the rows of the chain cannot be read');
      this.#isFailing = true;
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => void this.refresh(), retryMs).unref();
    }
  }

  /** Tells what is known where that is news. Never rejects. */
  async tell(): Promise<void> {
    if (!this.#rows || this.#options.signal.aborted) return;
    const { book, defaults, notify, observe, log } = this.#options;
    const addresses = book.addresses();
    const { fleet, standings, passedOver } = toChainFleet({
      rows: this.#rows,
      addresses,
      defaults,
      percentOf: this.#trust.percentOf,
    });
    observe(standings);
    const version = fingerprintOf(fleet);
    if (version !== this.#told) {
      this.#told = version;
      const tasks = passedOver.map(({ taskId, reason }) => `${taskId}: ${reason}`);
      const { models, nodes } = fleet;
      log.info({ models: models.length, nodes: nodes.length, passedOver: tasks }, 'fleet changed');
      notify(fleet);
    }
    await this.#save(standings);
  }

  async #save(standings: ChainFleet['standings']): Promise<void> {
    const places = new Map(this.#registrations.map((one) => [nodeNameOf(one.nodeId), one]));
    const json = JSON.stringify(
      standings.map(({ node, models, reason }) => ({
        node,
        models,
        address: places.get(node)?.publicAddress ?? '',
        owner: places.get(node)?.owner ?? '',
        reason: reason ?? '',
      })),
    );
    if (json === this.#saved) return;
    try {
      await this.#options.records.saveReport('nodes', json);
      this.#saved = json;
    } catch (cause) {
      this.#options.log.warn({ err: cause }, 'how the nodes stand cannot be stored');
    }
  }
}
