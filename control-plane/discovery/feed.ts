/**
 * What every source of declarations shares: read, check, resolve, tell. Bad content keeps the last good fleet, equal
 * content is told once, and host names are asked for again from time to time.
 */
import type { Logger } from '../../runtime/log.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { Declaration } from './declaration.ts';
import type { DeclarationResult } from './nodes-yaml.ts';
import { createResolver, type Resolver } from './resolve.ts';
import type { DiscoveryTools, Notify } from './source.ts';

const lookupWaitMs = 300;
const refreshMs = 30_000;
const refreshMissingMs = 3000;

export type FeedOptions = {
  readonly name: string;
  /** The content, or nothing where it is as before; it throws where it cannot be had. */
  readonly read: () => Promise<string | undefined>;
  readonly parse: (text: string) => DeclarationResult;
  readonly notify: Notify;
  readonly tools: DiscoveryTools;
};

export class Feed {
  readonly #options: FeedOptions;
  readonly #log: Logger;
  readonly #resolver: Resolver;
  #declaration: Declaration | undefined;
  #content: string | undefined;
  #told = '';
  #problem = '';
  #refreshTimer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #asked = 0;
  readonly #ending = new AbortController();

  constructor(options: FeedOptions) {
    const { lookup } = options.tools;
    this.#options = options;
    this.#log = options.tools.log.child({ source: options.name });
    this.#resolver = createResolver({ lookup, log: this.#log, waitMs: lookupWaitMs });
  }

  /** Reads now; calls during a read lead to one more read. Never rejects. */
  update(): Promise<void> {
    this.#asked += 1;
    this.#running ??= this.#run();
    return this.#running;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#refreshTimer);
    await this.#running;
  }

  async #run(): Promise<void> {
    let answered = 0;
    while (answered !== this.#asked && !this.#ending.signal.aborted) {
      answered = this.#asked;
      if (await this.#load()) await this.#tell();
    }
    this.#running = undefined;
  }

  /** True where the declaration is another one now. */
  async #load(): Promise<boolean> {
    let text: string | undefined;
    try {
      text = await this.#options.read();
    } catch (cause) {
      this.#fail('the source cannot be read', { err: cause }, String(cause));
      return false;
    }
    if (text === undefined || text === this.#content) return false;
    this.#content = text;
    const result = this.#options.parse(text);
    if (result.kind === 'problems') {
      const { problems } = result;
      this.#fail('the content is not valid; the last good fleet stays', { problems }, text);
      return false;
    }
    this.#problem = '';
    this.#declaration = result.declaration;
    return true;
  }

  /** Counts every failure; a source that stays away says so once, not with every attempt. */
  #fail(message: string, details: object, problem: string): void {
    if (this.#ending.signal.aborted) return;
    this.#options.tools.countFailure(this.#options.name);
    if (problem !== this.#problem) this.#log.error(details, message);
    this.#problem = problem;
  }

  async #tell(): Promise<void> {
    if (this.#declaration === undefined) return;
    const fleet = await this.#resolver.resolve(this.#declaration);
    if (this.#ending.signal.aborted) return;
    this.#scheduleRefresh(this.#declaration);
    const fingerprint = fingerprintOf(fleet);
    if (fingerprint === this.#told) return;
    this.#told = fingerprint;
    this.#log.info({ models: fleet.models.length, nodes: fleet.nodes.length }, 'fleet changed');
    this.#options.notify(fleet);
  }

  #scheduleRefresh(declaration: Declaration): void {
    const delayMs = this.#resolver.isMissing(declaration) ? refreshMissingMs : refreshMs;
    // Jitter keeps several control planes from asking in step.
    const jitter = 0.8 + 0.4 * Math.random();
    clearTimeout(this.#refreshTimer);
    this.#refreshTimer = setTimeout(() => void this.#refresh(), delayMs * jitter).unref();
  }

  async #refresh(): Promise<void> {
    if (this.#declaration) await this.#resolver.refresh(this.#declaration);
    // Also reads again, for file systems that tell no changes.
    await this.update();
    if (!this.#ending.signal.aborted) await this.#tell();
  }
}
