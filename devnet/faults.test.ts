import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultInput } from './faults.ts';
import type { NodeHandle } from './node-server.ts';
import { createOpenAiNode } from './openai-node.ts';
import { chatModel } from './served-model.ts';

let node: NodeHandle;
beforeAll(async () => {
  node = await createOpenAiNode({ id: 'faulty', models: [chatModel('m')] });
});
afterAll(() => node.close());
afterEach(() => {
  node.clearFault();
  node.setPace({ firstTokenMs: 0, tokensPerSecond: 0 });
});

const ask = (options: { stream: boolean; signal?: AbortSignal }) => {
  const { stream, signal = null } = options;
  const stream_options = { include_usage: true };
  return fetch(`${node.url}/v1/chat/completions`, {
    method: 'POST',
    signal,
    body: JSON.stringify({
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
      stream,
      ...(stream && { stream_options }),
    }),
  });
};

/** What could be read before the end, and whether the end was good. */
async function readAll(response: Response): Promise<{ text: string; isWhole: boolean }> {
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
    return { text, isWhole: true };
  } catch {
    return { text, isWhole: false };
  }
}

async function under(fault: FaultInput, stream: boolean) {
  node.setFault(fault, { requests: 1 });
  const response = await ask({ stream });
  return { response, ...(await readAll(response)) };
}

const eventsIn = (text: string) => text.split('\n\n').length - 1;
const hung = () => AbortSignal.timeout(150);

describe('faults', () => {
  it('hit as many requests as told', async () => {
    node.setFault({ kind: 'status', status: 503 }, { requests: 2 });
    const statuses = [];
    for (let at = 0; at < 3; at += 1) statuses.push((await ask({ stream: false })).status);
    expect(statuses).toEqual([503, 503, 200]);
  });

  it('refuse: the connection is reset', async () => {
    node.setFault({ kind: 'refuse' }, { requests: 1 });
    await expect(ask({ stream: false })).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
    expect(node.received.at(-1)).toMatchObject({ fault: 'refuse', completed: false });
  });

  it('status: any code, body and headers', async () => {
    const fault = { kind: 'status', status: 429, body: '{}', headers: { 'retry-after': '3' } };
    const { response, text } = await under({ ...fault, kind: 'status' }, true);
    expect([response.status, response.headers.get('retry-after'), text]).toEqual([429, '3', '{}']);
  });

  it('hang-before-headers: nothing comes', async () => {
    node.setFault({ kind: 'hang-before-headers' });
    await expect(ask({ stream: true, signal: hung() })).rejects.toThrow('timeout');
  });

  it('hang-after-headers: only headers come', async () => {
    node.setFault({ kind: 'hang-after-headers' });
    for (const stream of [true, false]) {
      const response = await ask({ stream, signal: hung() });
      expect(response.status).toBe(200);
      expect(await readAll(response)).toEqual({ text: '', isWhole: false });
    }
  });

  it('cut-mid-stream: the connection breaks after so many events', async () => {
    const { text, isWhole } = await under({ kind: 'cut-mid-stream', afterEvents: 4 }, true);
    expect([eventsIn(text), isWhole]).toEqual([4, false]);
    expect((await under({ kind: 'cut-mid-stream' }, false)).isWhole).toBe(false);
  });

  it('end-mid-stream: the body ends in good form', async () => {
    const { text, isWhole } = await under({ kind: 'end-mid-stream', afterEvents: 4 }, true);
    expect([eventsIn(text), isWhole]).toEqual([4, true]);
    const half = await under({ kind: 'end-mid-stream' }, false);
    expect(half.isWhole).toBe(true);
    expect(() => JSON.parse(half.text)).toThrow(SyntaxError);
  });

  it.each([
    ['usage-negative', '"prompt_tokens":-5'],
    ['usage-huge', '"prompt_tokens":9000000000000000'],
    ['usage-fractional', '"prompt_tokens":5.5'],
  ] as const)('%s', async (kind, expected) => {
    expect((await under({ kind }, false)).text).toContain(expected);
    expect((await under({ kind }, true)).text).toContain(expected);
  });

  it('usage-missing', async () => {
    expect((await under({ kind: 'usage-missing' }, false)).text).not.toContain('prompt_tokens');
    const { text } = await under({ kind: 'usage-missing' }, true);
    expect(text).not.toContain('prompt_tokens');
    expect(text).toContain('[DONE]');
  });

  it('malformed-json: half a JSON text', async () => {
    const body = await under({ kind: 'malformed-json' }, false);
    expect(() => JSON.parse(body.text)).toThrow(SyntaxError);
    const { text } = await under({ kind: 'malformed-json', afterEvents: 2 }, true);
    expect(text.split('\n\n')[2]).toMatch(/^data: \{.*\[\{$/);
  });

  it('malformed-sse: lines that are no events', async () => {
    const { text } = await under({ kind: 'malformed-sse', afterEvents: 2 }, true);
    expect(text).toContain('<html>');
  });

  it('slow-drip: few bytes at a time', async () => {
    const started = performance.now();
    const { text } = await under({ kind: 'slow-drip', bytes: 256, intervalMs: 5 }, true);
    expect(text).toContain('[DONE]');
    expect(performance.now() - started).toBeGreaterThan((text.length / 256) * 4);
  });

  it('gzip: compressed without being asked', async () => {
    for (const stream of [true, false]) {
      const { response, text } = await under({ kind: 'gzip' }, stream);
      expect(response.headers.get('content-encoding')).toBe('gzip');
      expect(text).toContain('chatcmpl');
    }
  });

  it('error-frame: an error with status 200', async () => {
    const first = await under({ kind: 'error-frame' }, true);
    expect(first.text).toMatch(/^data: \{"error":/);
    const later = await under({ kind: 'error-frame', afterEvents: 3 }, true);
    expect(later.text.split('\n\n')[3]).toMatch(/^data: \{"error":/);
    const body = await under({ kind: 'error-frame' }, false);
    expect([body.response.status, Object.keys(JSON.parse(body.text))]).toEqual([200, ['error']]);
  });
});

describe('pace', () => {
  it('sets the first token and the speed', async () => {
    node.setPace({ firstTokenMs: 50, tokensPerSecond: 200 });
    const started = performance.now();
    await readAll(await ask({ stream: true }));
    expect(performance.now() - started).toBeGreaterThan(50 + 15 * 5 - 10);
  });

  it('shows when a caller closes', async () => {
    node.setPace({ tokensPerSecond: 5 });
    const controller = new AbortController();
    await ask({ stream: true, signal: controller.signal });
    const closedMs = Date.now();
    controller.abort();
    await expect.poll(() => node.openRequests, { interval: 5 }).toBe(0);
    const record = node.received.at(-1);
    expect(record?.completed).toBe(false);
    expect((record?.closedMs ?? 0) - closedMs).toBeLessThan(200);
  });
});
