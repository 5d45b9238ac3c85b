/** Breaks one of all the calls that a keeper makes, as a crash would. */
import type { KeeperNode } from '../../chain/keeper/landing.ts';
import type { KeeperStore, WithdrawalQueue } from '../../chain/keeper/store.ts';
import type { Lease } from '../../chain/lease.ts';

/** Which call breaks, counted from 1, and how: before its effect, after it, or with an effect that comes late:
 * behind the next reading, or behind the next writing. */
export type Break = {
  readonly at: number;
  readonly how: 'before' | 'after' | 'late' | 'very late';
};

/** A call that breaks with an effect to come has timed out, and its keeper goes on; else the keeper is dead. */
export class Crash extends Error {
  readonly isDeath: boolean;

  constructor({ at, how }: Break) {
    super(`${how} call ${at}`);
    this.isDeath = how === 'before' || how === 'after';
  }
}

/** Breaks one of all calls to the node and the store; `breakOff` throws, or ends the process. */
export function createFuse(
  breakOff: (broken: Break) => never = (broken) => {
    throw new Crash(broken);
  },
) {
  let armed: Break | undefined;
  let calls = 0;
  const late: (() => Promise<unknown>)[] = [];
  const veryLate: (() => Promise<unknown>)[] = [];
  const wrap =
    <Args extends readonly unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      calls += 1;
      if (armed?.at !== calls) return run(...args);
      if (armed.how === 'after') await run(...args);
      if (armed.how === 'late') late.push(() => run(...args).catch(() => {}));
      if (armed.how === 'very late') veryLate.push(() => run(...args).catch(() => {}));
      return breakOff(armed);
    };
  return {
    arm(next: Break | undefined): void {
      armed = next;
      calls = 0;
    },
    calls: () => calls,
    node: (node: KeeperNode): KeeperNode => ({
      view: wrap(node.view),
      gasTerms: wrap(node.gasTerms),
      coins: wrap(node.coins),
      object: wrap(node.object),
      execute: wrap(node.execute),
      transaction: wrap(node.transaction),
    }),
    withdrawals: ({ settle, queued }: WithdrawalQueue): WithdrawalQueue => ({
      settle: wrap(settle),
      queued: wrap(queued),
    }),
    store: (store: KeeperStore): KeeperStore => ({
      ...store,
      load: wrap(async (sinceMs: number) => {
        const stored = await store.load(sinceMs);
        // What was thought lost happens now, unseen by whoever has just read.
        for (const run of late.splice(0)) await run();
        return stored;
      }),
      commit: wrap(async (lease: Lease, change: Parameters<KeeperStore['commit']>[1]) => {
        const reply = await store.commit(lease, change);
        for (const run of veryLate.splice(0)) await run();
        return reply;
      }),
    }),
  };
}
