/** The chain of plugins, in the order in which they see an answer. */
import type { ExtProcPlugin } from './plugin.ts';
import { adapt } from './plugins/adapt.ts';
import { meter } from './plugins/meter.ts';

/** The order is the point: each step relies on those above it. */
export function createChain(options: {
  readonly sealedAnswer: ExtProcPlugin;
  readonly nodeSignature: ExtProcPlugin;
  readonly settle: ExtProcPlugin;
  readonly users: readonly ExtProcPlugin[];
}): readonly ExtProcPlugin[] {
  return [
    // Sees the bytes as the node signed them, and stops what nobody signed before it counts.
    options.nodeSignature,
    // The same for answers that only the caller can read.
    options.sealedAnswer,
    // Counts what the node sent, the usage chunk included.
    meter,
    // Takes out what the caller did not ask for.
    adapt,
    // A user's plugin works on what the caller would get.
    ...options.users,
    // Ends the reservation when all else has ended.
    options.settle,
  ];
}
