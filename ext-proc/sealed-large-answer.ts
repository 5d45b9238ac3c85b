/**
 * One sealed JSON answer that is too large to be held: its pieces pass as they come, but for the last few kilobytes. They hold hash, signature
 * and usage, and wait for the verdict, so that an answer that must not be believed reaches its caller as JSON that does not end.
 */
import { createAnswerScan } from '../domain/answer-scan.ts';
import { parseObject } from '../domain/json.ts';
import type { Pipeline } from './pipeline.ts';
import { completedUsage } from './sealed-usage.ts';
import type { Streamed } from './stream-answer.ts';
import type { Tally } from './tally.ts';

const heldBytesMax = 4096;

export function createSealedLargeAnswer(options: { pipeline: Pipeline; tally: Tally }) {
  const { pipeline, tally } = options;
  const scan = createAnswerScan();
  let held = Buffer.alloc(0);

  function take(piece: Uint8Array): Uint8Array {
    const all = Buffer.concat([held, piece]);
    const passed = Math.max(0, all.length - heldBytesMax);
    held = all.subarray(passed);
    if (passed > 0) tally.delivered = true;
    return all.subarray(0, passed);
  }

  return {
    push(piece: Uint8Array, isLast: boolean): Streamed {
      scan.push(piece);
      pipeline.piece(piece, scan.summary());
      const bytes = take(piece);
      if (!isLast) return { bytes, ending: undefined };
      const summary = scan.summary();
      const failure = pipeline.answerEnd(summary);
      if (failure) return { bytes, ending: failure.ending };
      if (!summary.isWhole) return { bytes, ending: 'node-truncated' };
      tally.delivered = true;
      return { bytes: Buffer.concat([bytes, withOutputTokens(held)]), ending: 'completed' };
    },
  };
}

function withOutputTokens(end: Buffer): Buffer {
  const at = end.lastIndexOf('"usage":');
  const rest = at === -1 ? undefined : parseObject(`{${end.subarray(at)}`);
  const usage = completedUsage(rest?.usage);
  if (!usage) return end;
  const text = JSON.stringify({ usage });
  return Buffer.concat([end.subarray(0, at), Buffer.from(text.slice(1))]);
}
