/** Callers who pay: many at once over kept connections, each answer checked to be whole. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadAnswer, LoadOrder } from './orders.ts';
import { judgeJson, judgeStream, type UsageWish } from './whole-answer.ts';

const outputTokensMax = 128;

type Collected = Omit<LoadAnswer, 'seconds'>;

type Sample =
  | { readonly kind: 'whole'; readonly totalMs: number; readonly firstByteMs: number }
  | { readonly kind: 'failed'; readonly reason: string };

/** Sends the ordered requests, or fewer where the deadline comes first. */
export async function runLoad(order: LoadOrder): Promise<LoadAnswer> {
  const agent = new Agent({ keepAlive: true, maxSockets: order.connections });
  const collected: Collected = { latenciesMs: [], firstBytesMs: [], failures: {} };
  const bodies = { json: bodyOf(order, false), stream: bodyOf(order, true) };
  const startMs = performance.now();
  let left = order.requests;

  async function call(index: number): Promise<void> {
    await delay((order.rampMs * index) / order.connections);
    while (left > 0 && performance.now() - startMs < order.deadlineMs) {
      left -= 1;
      const isStream = order.mode === 'sse' || (order.mode === 'mixed' && left % 10 === 0);
      const body = isStream ? bodies.stream : bodies.json;
      collect(collected, await send(order, { agent, body, isStream }));
    }
  }

  await Promise.all(Array.from({ length: order.connections }, (_, index) => call(index)));
  const seconds = (performance.now() - startMs) / 1000;
  agent.destroy();
  return { ...collected, seconds };
}

function bodyOf({ model, usage }: LoadOrder, isStream: boolean): string {
  return JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Tell me about the sea in a few words, please.' }],
    max_tokens: outputTokensMax,
    ...(isStream && { stream: true }),
    ...(isStream && usage === 'asked' && { stream_options: { include_usage: true } }),
  });
}

function collect(answer: Collected, sample: Sample): void {
  if (sample.kind === 'failed') {
    answer.failures[sample.reason] = (answer.failures[sample.reason] ?? 0) + 1;
    return;
  }
  answer.latenciesMs.push(sample.totalMs);
  answer.firstBytesMs.push(sample.firstByteMs);
}

function send(
  order: LoadOrder,
  options: { agent: Agent; body: string; isStream: boolean },
): Promise<Sample> {
  const { agent, body, isStream } = options;
  return new Promise((resolve) => {
    const startMs = performance.now();
    const fail = (reason: string) => resolve({ kind: 'failed', reason });
    const outgoing = request(`${order.url}/v1/chat/completions`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${order.apiKey}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    outgoing.on('error', (cause) => fail('code' in cause ? String(cause.code) : cause.message));
    outgoing.on('response', (response) => {
      let text = '';
      let firstByteMs = 0;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (text === '') firstByteMs = performance.now() - startMs;
        text += chunk;
      });
      response.on('error', () => fail('cut'));
      response.on('end', () => {
        const problem = problemOf(response, { text, usage: order.usage, isStream });
        if (problem) fail(problem);
        else resolve({ kind: 'whole', totalMs: performance.now() - startMs, firstByteMs });
      });
    });
    outgoing.end(body);
  });
}

/** Why an answer is not the whole answer; nothing where it is. */
function problemOf(
  { statusCode }: IncomingMessage,
  answer: { text: string; usage: UsageWish; isStream: boolean },
): string | undefined {
  if (statusCode !== 200) return `status ${statusCode}`;
  const { text, usage, isStream } = answer;
  const verdict = isStream ? judgeStream(text, usage) : judgeJson(text);
  return verdict.kind === 'broken' ? verdict.reason : undefined;
}
