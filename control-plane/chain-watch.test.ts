import { pino } from 'pino';
import { beforeEach, describe, expect, it } from 'vitest';
import { FullNodeError } from '../chain/full-node.ts';
import type { Alarm, FollowStatus, Progress } from '../chain/indexer/state.ts';
import { createChainMetrics, createRegistry } from '../runtime/metrics.ts';
import { watchChain } from './chain-watch.ts';

let lines: string[];
let status: FollowStatus;
let alarms: Alarm[];
let height: bigint | undefined;
let registry: ReturnType<typeof createRegistry>;

beforeEach(() => {
  lines = [];
  status = { kind: 'following' };
  alarms = [];
  height = 12n;
  registry = createRegistry('test');
});

/** Looks until the looks are over; before each, `change` may change what there is. */
async function watch(looks: number, change: (look: number) => void = () => undefined) {
  const ending = new AbortController();
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  let look = 0;
  const progress = async (): Promise<Progress> => {
    look += 1;
    change(look);
    if (look > looks) ending.abort();
    const next = { node: 1n, task: 1n, stack: 1n };
    return { covered: 10n, position: undefined, cursor: undefined, next, status };
  };
  const view = async () => {
    if (height === undefined) throw new FullNodeError('unavailable', 'away');
    return { height, lowestCheckpoint: 0n };
  };
  await watchChain(
    {
      records: { progress, alarms: async () => alarms },
      fullNode: { view },
      metrics: createChainMetrics(registry),
      log,
    },
    { signal: ending.signal, periodMs: 1 },
  );
}

describe('watching the chain', () => {
  it('shows height, lag and state', async () => {
    await watch(1);
    const text = await registry.metrics();
    expect(text).toMatch(/atoma_chain_height\{[^}]*\} 10\n/);
    expect(text).toMatch(/atoma_chain_lag_checkpoints\{[^}]*\} 2\n/);
    expect(text).toMatch(/atoma_chain_state\{state="following",[^}]*\} 1\n/);
    expect(text).toMatch(/atoma_chain_state\{state="halted",[^}]*\} 0\n/);
  });

  it('logs each alarm and each change of state once', async () => {
    const gap = { kind: 'gap', of: 'node', from: 1n, to: 2n } as const;
    await watch(6, (look) => {
      if (look === 2) alarms = [gap];
      if (look === 3) alarms = [gap, { ...gap, from: 5n }];
      if (look === 4) status = { kind: 'halted', reason: 'another chain' };
    });
    expect(lines.filter((line) => line.includes('alarm of the chain'))).toHaveLength(2);
    expect(lines.filter((line) => line.includes('another chain'))).toHaveLength(1);
    expect(await registry.metrics()).toMatch(/atoma_chain_alarms\{kind="gap",[^}]*\} 2\n/);
  });

  it('goes on while the full node is away, and says so', async () => {
    await watch(2, (look) => {
      height = look === 1 ? 12n : undefined;
    });
    expect(await registry.metrics()).toMatch(/atoma_chain_reachable\{[^}]*\} 0\n/);
    expect(await registry.metrics()).toMatch(/atoma_chain_lag_checkpoints\{[^}]*\} 2\n/);
  });
});
