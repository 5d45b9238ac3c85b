/**
 * One JSON answer that is too large to be held: its pieces pass as they come. Only the brace that closes it waits for the verdict, so
 * that an answer that must not be believed reaches its caller as JSON that does not end.
 */
import { createAnswerScan } from '../domain/answer-scan.ts';
import type { Ending } from '../domain/reservation.ts';
import type { Pipeline } from './pipeline.ts';
import type { Streamed } from './stream-answer.ts';
import type { Tally } from './tally.ts';

/** Behind the closing brace stands white space at most. */
const heldBytesMax = 4096;

export function createLargeAnswer({ pipeline, tally }: { pipeline: Pipeline; tally: Tally }) {
  const scan = createAnswerScan();
  let held: Uint8Array | undefined;

  /** What of the piece may pass now; nothing where that is all of it. */
  function holdBack(piece: Uint8Array): Uint8Array | undefined {
    const end = scan.push(piece);
    if (held) {
      held = Buffer.concat([held, piece]).subarray(0, heldBytesMax);
      return Buffer.alloc(0);
    }
    if (end === undefined) return undefined;
    held = piece.slice(end);
    return piece.subarray(0, end);
  }

  function endingOf(): Ending {
    const summary = scan.summary();
    const failure = pipeline.answerEnd(summary);
    if (failure) return failure.ending;
    return summary.isWhole ? 'completed' : 'node-truncated';
  }

  return {
    push(piece: Uint8Array, isLast: boolean): Streamed {
      const passing = holdBack(piece);
      pipeline.piece(piece, scan.summary());
      if ((passing ?? piece).length > 0) tally.delivered = true;
      if (!isLast) return { bytes: passing, ending: undefined };
      const ending = endingOf();
      if (ending !== 'completed' || !passing || !held) return { bytes: passing, ending };
      return { bytes: Buffer.concat([passing, held]), ending };
    },
  };
}

export type LargeAnswer = ReturnType<typeof createLargeAnswer>;
