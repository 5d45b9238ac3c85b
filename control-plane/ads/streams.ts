/** All Envoys that are connected, the snapshot that they are to have, and who waits until they have it. */
import type { Logger } from '../../runtime/log.ts';
import type { createFleetMetrics } from '../../runtime/metrics.ts';
import type { Snapshot } from '../translate/snapshot.ts';
import { ConfigStream, type StreamPorts } from './stream.ts';

export type AdsOptions = {
  readonly log: Logger;
  readonly metrics: Pick<ReturnType<typeof createFleetMetrics>, 'streams' | 'acks' | 'nacks'>;
};

/** One call of an Envoy, whichever of the two protocols it speaks. */
export type AdsCall = {
  readonly send: StreamPorts['send'];
  /** The name under which this Envoy is known, once it has told it. */
  readonly nodeId: () => string;
  readonly end: () => void;
};

export class AdsStreams {
  readonly #options: AdsOptions;
  readonly #calls = new Map<ConfigStream, AdsCall>();
  readonly #waiting = new Set<() => void>();
  #current: Snapshot | undefined;

  constructor(options: AdsOptions) {
    this.#options = options;
  }

  open(call: AdsCall): ConfigStream {
    const stream = new ConfigStream({
      send: call.send,
      settled: () => this.#wake(),
      observe: (type, verdict) => this.#observe(type, verdict, call.nodeId),
    });
    this.#calls.set(stream, call);
    this.#options.metrics.streams.set(this.#calls.size);
    if (this.#current) stream.update(this.#current);
    return stream;
  }

  forget(stream: ConfigStream): void {
    this.#calls.delete(stream);
    this.#options.metrics.streams.set(this.#calls.size);
    this.#wake();
  }

  publish(snapshot: Snapshot): void {
    this.#current = snapshot;
    for (const stream of this.#calls.keys()) stream.update(snapshot);
    this.#wake();
  }

  waitForAck(timeoutMs: number): Promise<boolean> {
    if (this.#isAccepted()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (accepted: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve(accepted);
      };
      const done = () => end(true);
      const timer = setTimeout(() => end(false), timeoutMs);
      this.#waiting.add(done);
    });
  }

  close(): void {
    for (const call of this.#calls.values()) call.end();
  }

  #isAccepted(): boolean {
    const current = this.#current;
    return (
      current === undefined ||
      [...this.#calls.keys()].every((stream) => stream.hasAccepted(current))
    );
  }

  #wake(): void {
    if (this.#waiting.size > 0 && this.#isAccepted()) for (const done of this.#waiting) done();
  }

  #observe(
    type: string,
    verdict: Parameters<StreamPorts['observe']>[1],
    nodeId: () => string,
  ): void {
    const { log, metrics } = this.#options;
    if (verdict.kind === 'accepted') {
      metrics.acks.inc({ type });
      return;
    }
    metrics.nacks.inc({ type });
    const { reason, names } = verdict;
    log.error({ type, names, reason, envoy: nodeId() }, 'Envoy refused a configuration');
  }
}
