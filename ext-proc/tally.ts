/** What has been seen of one exchange so far; the meter writes it, the charge is computed from it. */
import type { ReportedUsage } from '../domain/node-usage.ts';

export type Tally = {
  /** The last that the node told. */
  reported: ReportedUsage;
  /** The gateway's own count of the tokens in the answer. */
  outputTokens: number;
  images: number;
  /** Whether any byte of an answer went to the caller. */
  delivered: boolean;
  /** False once a signature did not hold: the node's counts are then not used. */
  trusted: boolean;
  /** Whether a sealed request used more than it was let in with. */
  exceeded: boolean;
};

export const createTally = (): Tally => ({
  reported: 'absent',
  outputTokens: 0,
  images: 0,
  delivered: false,
  trusted: true,
  exceeded: false,
});
