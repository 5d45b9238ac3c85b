/** The port of discovery: where nodes and models come from. A source is a plugin; users may name modules of their own. */
import type { Fleet } from '../../domain/fleet.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Plugin } from '../../runtime/plugin.ts';

/** Tells the whole fleet that the source knows, each time that it changes. */
export type Notify = (fleet: Fleet) => void;

export type DiscoverySource = {
  /** Bounded: it names the source in logs and metrics. */
  readonly name: string;
  /** Resolves once the source watches; a source that cannot be read tells nothing and keeps trying. */
  start(notify: Notify): Promise<void>;
  close(): Promise<void>;
};

/** The address that a host name stands for; it throws where there is none. */
export type Lookup = (host: string) => Promise<string>;

/** What the host lends to a source. */
export type DiscoveryTools = {
  readonly log: Logger;
  readonly lookup: Lookup;
  /** Counts that a source could not be read; its last good fleet stays. */
  readonly countFailure: (source: string) => void;
};

export type DiscoveryPlugin<Config> = Plugin<Config, DiscoveryTools, DiscoverySource>;
