/** Shows how following the chain goes: gauges, and each alarm once in the log. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FullNode } from '../chain/full-node.ts';
import type { Alarm, Progress } from '../chain/indexer/state.ts';
import type { Logger } from '../runtime/log.ts';
import type { createChainMetrics } from '../runtime/metrics.ts';
import type { ChainRecords } from '../storage/chain-store.ts';

export type ChainWatchPorts = {
  readonly records: Pick<ChainRecords, 'progress' | 'alarms'>;
  readonly fullNode: Pick<FullNode, 'view'>;
  readonly metrics: ReturnType<typeof createChainMetrics>;
  readonly log: Logger;
};

const states = ['starting', 'following', 'pruned', 'halted'] as const;
const alarmKinds: readonly Alarm['kind'][] = ['poison', 'gap', 'jump', 'upgrade'];

/** Looks again and again until the signal ends. Never rejects. */
export async function watchChain(
  ports: ChainWatchPorts,
  { signal, periodMs }: { readonly signal: AbortSignal; readonly periodMs: number },
): Promise<void> {
  const look = createLook(ports);
  while (!signal.aborted) {
    await look(signal);
    await sleep(periodMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

function createLook({ records, fullNode, metrics, log }: ChainWatchPorts) {
  const told = new Set<string>();
  let state = '';
  let isReachable = true;

  function showProgress(progress: Progress | undefined): void {
    const kind = progress?.status.kind ?? 'starting';
    for (const one of states) metrics.state.set({ state: one }, Number(one === kind));
    if (progress) metrics.height.set(Number(progress.covered));
    if (kind !== state) log[isBad(kind) ? 'error' : 'info']({ status: progress?.status }, kind);
    state = kind;
  }

  function showAlarms(alarms: readonly Alarm[]): void {
    for (const kind of alarmKinds) {
      metrics.alarms.set({ kind }, alarms.filter((alarm) => alarm.kind === kind).length);
    }
    for (const alarm of alarms) {
      const text = toText(alarm);
      if (!told.has(text)) log.error({ alarm: alarm.kind, details: text }, 'alarm of the chain');
      told.add(text);
    }
  }

  function showReachable(now: boolean, cause?: unknown): void {
    metrics.reachable.set(Number(now));
    if (now !== isReachable && now) log.info('the full node answers again');
    if (now !== isReachable && !now) {
      log.error({ err: cause }, 'the full node or the records of the chain do not answer');
    }
    isReachable = now;
  }

  return async function look(signal: AbortSignal): Promise<void> {
    try {
      const progress = await records.progress();
      showProgress(progress);
      showAlarms(await records.alarms());
      const { height } = await fullNode.view(signal);
      if (progress) metrics.lag.set(Math.max(0, Number(height - progress.covered)));
      showReachable(true);
    } catch (cause) {
      if (!signal.aborted) showReachable(false, cause);
    }
  };
}

const isBad = (kind: string) => kind === 'pruned' || kind === 'halted';

/** Large numbers as text; of bytes only how many they are. */
const toText = (alarm: Alarm): string =>
  JSON.stringify(alarm, (_key, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return value instanceof Uint8Array ? `${value.length} bytes` : value;
  });
