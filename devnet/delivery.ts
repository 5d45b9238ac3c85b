/** Sends an answer at the node's pace, and breaks it where a fault says so. */
import type { ServerResponse } from 'node:http';
import type { Answer, NodeEvent, Outcome } from './answer.ts';
import { frameOf } from './answer.ts';
import type { Fault, Pace } from './faults.ts';
import { createSink, gone, type Sink, sleep } from './sink.ts';

export type Delivery = {
  readonly response: ServerResponse;
  readonly fault: Fault | undefined;
  readonly pace: Pace;
  /** Aborted when the connection closes. */
  readonly signal: AbortSignal;
  /** Called for each event or body as it is written. */
  readonly sent: (part: Pick<NodeEvent, 'tokens' | 'usage'>) => void;
};

const errorObject = JSON.stringify({
  error: { message: 'The engine failed.', type: 'server_error', param: null, code: null },
});

/** Resolves when all is written, or when the caller is gone. */
export async function deliver(answer: Answer, delivery: Delivery): Promise<Outcome> {
  if (delivery.fault?.kind === 'hang-before-headers') {
    await gone(delivery.signal);
    return 'broken';
  }
  return answer.kind === 'body'
    ? await deliverBody(answer, delivery)
    : await deliverStream(answer, delivery);
}

async function deliverBody(
  answer: Answer & { kind: 'body' },
  delivery: Delivery,
): Promise<Outcome> {
  const { response, fault, pace, signal } = delivery;
  const intervalMs = pace.tokensPerSecond > 0 ? 1000 / pace.tokensPerSecond : 0;
  const thinkingMs = pace.firstTokenMs + answer.tokens * intervalMs;
  if (thinkingMs > 0 && answer.tokens > 0) await sleep(thinkingMs, signal);
  if (signal.aborted) return 'broken';

  const { body, isWhole } = bodyUnder(fault, answer.body);
  const isSized = fault?.kind !== 'gzip' && fault?.kind !== 'end-mid-stream';
  const length = fault?.kind === 'cut-mid-stream' ? answer.body : body;
  response.writeHead(answer.status, {
    'content-type': answer.contentType,
    ...(isSized && { 'content-length': Buffer.byteLength(length) }),
    ...(fault?.kind === 'gzip' && { 'content-encoding': 'gzip' }),
  });
  if (fault?.kind === 'hang-after-headers') {
    response.flushHeaders();
    await gone(signal);
    return 'broken';
  }
  return await finish(delivery, { body, isWhole, answer });
}

async function finish(
  delivery: Delivery,
  options: { body: string; isWhole: boolean; answer: Answer & { kind: 'body' } },
): Promise<Outcome> {
  const { body, isWhole, answer } = options;
  const sink = createSink(delivery.response, delivery);
  await sink.write(body);
  if (isWhole && !delivery.signal.aborted) delivery.sent(answer);
  if (delivery.fault?.kind === 'cut-mid-stream') sink.cut();
  else sink.end();
  return isWhole && !delivery.signal.aborted ? 'complete' : 'broken';
}

function bodyUnder(fault: Fault | undefined, body: string): { body: string; isWhole: boolean } {
  switch (fault?.kind) {
    case 'cut-mid-stream':
    case 'end-mid-stream':
    case 'malformed-json':
      return { body: body.slice(0, Math.floor(body.length / 2)), isWhole: false };
    case 'error-frame':
      return { body: errorObject, isWhole: false };
    default:
      return { body, isWhole: true };
  }
}

async function deliverStream(
  answer: Answer & { kind: 'stream' },
  delivery: Delivery,
): Promise<Outcome> {
  const { response, fault, pace, signal } = delivery;
  response.writeHead(200, {
    'content-type': answer.contentType,
    'cache-control': 'no-cache',
    ...(fault?.kind === 'gzip' && { 'content-encoding': 'gzip' }),
  });
  response.flushHeaders();
  if (fault?.kind === 'hang-after-headers') {
    await gone(signal);
    return 'broken';
  }
  const sink = withKeepAlive(createSink(response, delivery), answer.keepAliveMs);
  try {
    if (pace.firstTokenMs > 0) await sleep(pace.firstTokenMs, signal);
    return await pump(answer.events, { sink, delivery });
  } finally {
    sink.stop();
  }
}

async function pump(
  events: Iterable<NodeEvent>,
  options: { sink: Sink; delivery: Delivery },
): Promise<Outcome> {
  const { sink, delivery } = options;
  const { fault, pace, signal } = delivery;
  const intervalMs = pace.tokensPerSecond > 0 ? 1000 / pace.tokensPerSecond : 0;
  let batch = '';
  let count = 0;
  let dueMs = performance.now();
  for (const event of events) {
    if (signal.aborted) return 'broken';
    if (isBreak(fault, count)) {
      await sink.write(batch);
      return await breakOff(fault, sink);
    }
    batch += event.text;
    count += 1;
    delivery.sent(event);
    dueMs += event.tokens * intervalMs;
    const waitMs = dueMs - performance.now();
    // Events that are due in the same millisecond share a write.
    if (waitMs < 1 && batch.length < 16_384) continue;
    await sink.write(batch);
    batch = '';
    if (waitMs >= 1) await sleep(waitMs, signal);
  }
  await sink.write(batch);
  sink.end();
  return signal.aborted ? 'broken' : 'complete';
}

function isBreak(fault: Fault | undefined, count: number): fault is Fault {
  return fault !== undefined && 'afterEvents' in fault && count >= fault.afterEvents;
}

async function breakOff(fault: Fault, sink: Sink): Promise<Outcome> {
  if (fault.kind === 'cut-mid-stream') {
    sink.cut();
    return 'broken';
  }
  if (fault.kind === 'malformed-json') await sink.write(frameOf('{"id":"chatcmpl-1","choices":[{'));
  if (fault.kind === 'malformed-sse')
    await sink.write('\u0000\u0001 <html>not an event</html>\n\ndata');
  if (fault.kind === 'error-frame') await sink.write(frameOf(errorObject));
  sink.end();
  return 'broken';
}

/** Writes a comment after each silence of the given length. */
function withKeepAlive(sink: Sink, silenceMs: number): Sink & { stop(): void } {
  if (silenceMs === 0) return { ...sink, stop: () => undefined };
  const timer = setInterval(() => void sink.write(': keep-alive\n\n'), silenceMs);
  return {
    ...sink,
    write(text) {
      timer.refresh();
      return sink.write(text);
    },
    stop: () => clearInterval(timer),
  };
}
