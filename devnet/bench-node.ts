/** One constant answer as fast as Node gives it, so that a measurement measures what stands before it. */
import { createServer, type ServerResponse } from 'node:http';
import { frameOf } from './answer.ts';
import { listenOn } from './listening.ts';

export type BenchNodeOptions = {
  readonly model: string;
  /** Events of a stream before the usage event. */
  readonly events?: number;
  readonly eventGapMs?: number;
  readonly port?: number;
};

const inputTokens = 12;

/** Streams where the body asks for it, else answers JSON; the prompt is not looked at. */
export function startBenchNode(
  options: BenchNodeOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const { model, events = 100, eventGapMs = 5, port = 0 } = options;
  const json = Buffer.from(jsonText(model, events));
  const frames = Array.from({ length: events }, (_, index) => Buffer.from(frameText(model, index)));
  const tail = Buffer.from(tailText(model, events));
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      // Requests of the measurement are small: the flag is searched, not parsed.
      if (!Buffer.concat(chunks).includes('"stream":true')) {
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': json.length,
        });
        response.end(json);
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      stream(response, { frames, tail, eventGapMs });
    });
  });
  return listenOn(server, { host: '127.0.0.1', port });
}

function stream(
  response: ServerResponse,
  options: { frames: readonly Buffer[]; tail: Buffer; eventGapMs: number },
): void {
  const { frames, tail, eventGapMs } = options;
  let next = 0;
  const timer = setInterval(() => {
    const frame = frames[next];
    next += 1;
    if (frame) {
      response.write(frame);
      return;
    }
    clearInterval(timer);
    response.end(tail);
  }, eventGapMs);
  response.on('close', () => clearInterval(timer));
}

const head = (model: string, object: string) => ({
  id: 'chatcmpl-bench',
  object,
  created: 1_735_689_600,
  model,
});

const usageOf = (events: number) => ({
  prompt_tokens: inputTokens,
  completion_tokens: events,
  total_tokens: inputTokens + events,
});

const jsonText = (model: string, events: number) =>
  JSON.stringify({
    ...head(model, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'word '.repeat(events) },
        finish_reason: 'stop',
      },
    ],
    usage: usageOf(events),
  });

function frameText(model: string, index: number): string {
  const delta = index === 0 ? { role: 'assistant', content: 'word' } : { content: ' word' };
  return frameOf(
    JSON.stringify({
      ...head(model, 'chat.completion.chunk'),
      choices: [{ index: 0, delta, finish_reason: null }],
    }),
  );
}

function tailText(model: string, events: number): string {
  const chunk = head(model, 'chat.completion.chunk');
  const last = { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
  const usage = { ...chunk, choices: [], usage: usageOf(events) };
  return `${frameOf(JSON.stringify(last))}${frameOf(JSON.stringify(usage))}data: [DONE]\n\n`;
}
