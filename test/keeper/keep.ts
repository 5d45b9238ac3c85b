/** Runs keepers one after the other until nothing is left to do. */

import type { Step } from '../../chain/keeper/keeper.ts';
import type { Lease } from '../../chain/lease.ts';
import { Crash } from './fuse.ts';
import type { Play } from './play.ts';

const stepsMax = 400;
const minuteMs = 60_000;

type Keeping = {
  /** How often the clock goes on by a minute where nothing but time helps. */
  readonly waits?: number;
  readonly beforeStep?: (step: number) => void | Promise<void>;
};

/** Each death starts a new keeper under a new lease, and a failing node is asked again. */
export async function keepUntilIdle(play: Play, options: Keeping = {}): Promise<Step> {
  const { waits = 30, beforeStep = () => {} } = options;
  let waited = 0;
  let run = await start(play);
  for (let count = 0; count < stepsMax; count += 1) {
    await beforeStep(count);
    const step = await run.step();
    if (step === 'crashed') run = await restart(play, run.lease);
    else if (waited < waits && (isWaiting(step) || (await isOwing(play, step)))) {
      waited += 1;
      play.clock.ms += minuteMs;
    } else if (step !== 'failed' && step.kind !== 'worked') {
      await play.store.release(run.lease);
      return step;
    }
  }
  throw new Error('the keeper does not come to rest');
}

type Run = { readonly lease: Lease; step(): Promise<Step | 'crashed' | 'failed'> };

async function start(play: Play): Promise<Run> {
  const lease = await play.store.acquire(minuteMs);
  if (!lease) throw new Error('somebody else keeps');
  const keeper = play.startKeeper();
  const { signal } = new AbortController();
  return { lease, step: () => keeper.step(lease, signal).catch(toFailure) };
}

async function restart(play: Play, lease: Lease): Promise<Run> {
  play.fuse.arm(undefined);
  await play.store.release(lease);
  return start(play);
}

function toFailure(cause: unknown): 'crashed' | 'failed' {
  if (cause instanceof Crash) return cause.isDeath ? 'crashed' : 'failed';
  if (cause instanceof Error && cause.name === 'FullNodeError') return 'failed';
  throw cause;
}

/** What failed to be paid is tried again later. */
const isOwing = async (play: Play, step: Step | 'failed') =>
  step !== 'failed' && step.kind === 'idle' && (await play.withdrawals.queued()).length > 0;

const isWaiting = (step: Step | 'failed') =>
  step !== 'failed' &&
  (step.kind === 'in-doubt' ||
    (step.kind === 'idle' && step.unmet.some(({ obstacle }) => obstacle === 'paused')));
