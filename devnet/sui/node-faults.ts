/** Ways in which a full node goes wrong, settable at run time; each full node has its own. */
import { z } from 'zod';

const methods = z.array(z.string().regex(/^\w+Service\/\w+$/));

const faultsSchema = z.strictObject({
  /** Before every answer. */
  latencyMs: z.int().min(0),
  /** `LedgerService/ListEvents` and so on: methods that this node does not have. */
  unimplemented: methods,
  /** Methods that answer UNAVAILABLE. */
  unavailable: methods,
  /** Streams break off after so many frames: with an error, or with a clean end that lacks its last frame. */
  cutStreams: z
    .strictObject({ afterFrames: z.int().min(0), how: z.enum(['error', 'end']) })
    .nullable(),
  /** How far the indexes of List calls are behind the ledger. */
  indexLagCheckpoints: z.int().min(0),
  /** The chain id that this node claims. */
  chainId: z.string().nullable(),
  /** Every other page of a list is empty, and says that there is more. */
  emptyPages: z.boolean(),
  /** Checkpoints that one List call looks through. */
  scanCheckpointsMax: z.int().min(1),
  /** What a List call does about a start that is pruned. */
  prunedStart: z.enum(['refuse', 'skip']),
  /**
   * What becomes of an execution: `lost-after` executes and answers UNAVAILABLE, `lost-before` only locks the objects,
   * and `lost-first` does nothing at all.
   */
  execution: z.enum(['normal', 'lost-first', 'lost-before', 'lost-after']),
});

/** Only what is to change. */
export const faultChangesSchema = faultsSchema.partial();

export type Faults = z.infer<typeof faultsSchema>;
type FaultChanges = z.infer<typeof faultChangesSchema>;

const noFaults: Faults = {
  latencyMs: 0,
  unimplemented: [],
  unavailable: [],
  cutStreams: null,
  indexLagCheckpoints: 0,
  chainId: null,
  emptyPages: false,
  scanCheckpointsMax: 10_000,
  prunedStart: 'refuse',
  execution: 'normal',
};

export type FaultSwitch = ReturnType<typeof createFaultSwitch>;

/** Holds the faults of one full node; throws on settings that make no sense. */
export function createFaultSwitch() {
  let current = noFaults;
  return {
    current: (): Faults => current,
    /** Changes the given ones and leaves the others. */
    set(changes: FaultChanges): void {
      current = faultsSchema.parse({ ...current, ...changes });
    },
    clear(): void {
      current = noFaults;
    },
  };
}
