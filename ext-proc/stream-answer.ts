/** One streamed answer: bytes in, events through the pipeline, bytes out, and how the stream ended. */
import { type Failure, toErrorObject } from '../domain/failure.ts';
import { parseObject } from '../domain/json.ts';
import type { Ending } from '../domain/reservation.ts';
import { createSseParser, type SseEvent, type SseSplit } from '../domain/sse.ts';
import type { Pipeline } from './pipeline.ts';
import type { Tally } from './tally.ts';

/** `bytes` is nothing where the chunk passes as it is; `ending` is there once, when the answer is over. */
export type Streamed = {
  readonly bytes: Uint8Array | undefined;
  readonly ending: Ending | undefined;
};

const eventBytesMax = 2 ** 20;
const paddingBytesMax = 2 ** 16;
/** Nodes send comments every few milliseconds; callers and what lies between them need far fewer. */
const keepAliveMs = 15_000;

const keepAlive = Buffer.from(': keep-alive\n\n');
const done = Buffer.from('data: [DONE]\n\n');
const nothing = Buffer.alloc(0);

export function createStreamAnswer(options: {
  readonly pipeline: Pipeline;
  readonly tally: Tally;
  /**
   * Atoma nodes end after the usage event, and callers get a `[DONE]`; OpenAI nodes say it themselves. A sealed stream just ends, since
   * clients take all of its events for sealed ones.
   */
  readonly endsBy: 'usage' | 'done' | 'end';
  readonly nowMs: () => number;
}) {
  const { pipeline, tally, endsBy, nowMs } = options;
  const parser = createSseParser({ eventBytesMax });
  let ending: Ending | undefined;
  let longestBytes = 0;
  let forwardedMs = nowMs();

  const isDone = (text: string) => endsBy !== 'end' && text.trim() === '[DONE]';

  function handle(event: SseEvent): Uint8Array {
    const text = event.data();
    if (text === undefined) return handleComment();
    if (isDone(text)) return finish(event.raw);
    const json = parseObject(text);
    if (!json) return fail({ kind: 'node-failed' }, 'node-failed');

    const counted = tally.outputTokens;
    const passed = pipeline.event({ raw: event.raw, text, json });
    if (passed.kind === 'fail') {
      tally.outputTokens = counted;
      return fail(passed.failure, passed.ending);
    }
    return passed.part ? forward(passed.part.raw) : nothing;
  }

  function forward(raw: Uint8Array): Uint8Array {
    tally.delivered = true;
    forwardedMs = nowMs();
    longestBytes = Math.max(longestBytes, raw.length);
    return raw;
  }

  function handleComment(): Uint8Array {
    if (nowMs() - forwardedMs < keepAliveMs) return nothing;
    forwardedMs = nowMs();
    return keepAlive;
  }

  function finish(last: Uint8Array): Uint8Array {
    ending = 'completed';
    return last;
  }

  /** Never with a `[DONE]`: SDKs take the end of a file for success. */
  function fail(failure: Failure, as: Ending): Uint8Array {
    ending = as;
    return errorEvent(failure);
  }

  function handleEnd(): Uint8Array {
    const rest = Buffer.from(parser.rest()).toString().trim();
    if (isDone(rest.replace(/^data: ?/, ''))) return finish(done);
    const isWhole = rest === '' && endsBy !== 'done' && tally.reported !== 'absent';
    if (!isWhole) return fail({ kind: 'node-truncated' }, 'node-truncated');
    if (endsBy === 'end') return finish(nothing);
    return finish(paddedDone(longestBytes));
  }

  function handleAll({ events, oversized }: SseSplit, isLast: boolean): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (const event of events) {
      parts.push(handle(event));
      if (ending !== undefined) return parts;
    }
    if (oversized) parts.push(fail({ kind: 'node-failed' }, 'node-failed'));
    else if (isLast) parts.push(handleEnd());
    return parts;
  }

  function push(chunk: Uint8Array, isLast: boolean): Streamed {
    if (ending !== undefined) return { bytes: nothing, ending: undefined };
    const isFresh = parser.rest().length === 0;
    const split = parser.push(chunk);
    const parts = handleAll(split, isLast);
    const isWhole = isFresh && parser.rest().length === 0;
    return { bytes: isWhole && isUntouched(parts, split) ? undefined : join(parts), ending };
  }

  return { push };
}

const errorEvent = (failure: Failure) =>
  Buffer.from(`data: ${JSON.stringify({ error: toErrorObject(failure) })}\n\n`);

/** Some clients read whole network reads: the padding keeps the last events apart from the end. */
function paddedDone(longestBytes: number): Uint8Array {
  const padding = ' '.repeat(Math.min(longestBytes + 1, paddingBytesMax));
  return Buffer.from(`: ${padding}\n\n${done}`);
}

export type StreamAnswer = ReturnType<typeof createStreamAnswer>;

const isUntouched = (parts: readonly Uint8Array[], { events }: SseSplit) =>
  parts.length === events.length && parts.every((part, index) => part === events[index]?.raw);

function join(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return parts.length === 1 && first ? first : Buffer.concat(parts);
}
