/** Breaks one of all the calls that a keeper makes, as a crash would. */
import type { KeeperNode } from '../../chain/keeper/landing.ts';
import type { KeeperStore } from '../../chain/keeper/store.ts';

/** Which call breaks, counted from 1, and how: before its effect, after it, or with an effect that comes late. */
export type Break = { readonly at: number; readonly how: 'before' | 'after' | 'late' };

export class Crash extends Error {}

/** Breaks one of all calls to the node and the store. */
export function createFuse() {
  let armed: Break | undefined;
  let calls = 0;
  const late: (() => Promise<unknown>)[] = [];
  const wrap =
    <Args extends readonly unknown[], Result>(run: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      calls += 1;
      if (armed?.at !== calls) return run(...args);
      if (armed.how === 'after') await run(...args);
      if (armed.how === 'late') late.push(() => run(...args).catch(() => {}));
      throw new Crash(`crash at call ${calls}`);
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
    store: (store: KeeperStore): KeeperStore => ({
      ...store,
      load: wrap(async (sinceMs: number) => {
        const stored = await store.load(sinceMs);
        // What was thought lost happens now, unseen by whoever has just read.
        for (const run of late.splice(0)) await run();
        return stored;
      }),
      commit: wrap(store.commit),
    }),
  };
}
