import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundOf, estimatedInputTokensOf } from './bound.ts';
import { applyEdits, editsFor } from './edits.ts';
import type { Endpoint, Model, Protocol } from './model.ts';
import { picoUsd } from './money.ts';
import { costBoundOf, costOf } from './price.ts';
import { type ParsedRequest, parseRequest } from './request.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (body: Uint8Array) => new TextDecoder().decode(body);
const hello = { model: 'm', messages: [{ role: 'user', content: 'hi' }] };

const modelFor = (protocols: readonly Protocol[]): Model => ({
  id: 'm',
  createdSeconds: 0,
  ownedBy: 'test',
  endpoints: ['chat', 'completions', 'embeddings', 'images'],
  protocols,
  contextTokensMax: 8192,
  outputTokensMax: 4096,
  mediaTokensMax: 1000,
  price: undefined,
});

function parsed(endpoint: Endpoint, body: unknown): ParsedRequest {
  const source = typeof body === 'string' ? body : JSON.stringify(body);
  const request = parseRequest(endpoint, bytes(source));
  if ('kind' in request) throw new Error(JSON.stringify(request));
  return request;
}

function edited(endpoint: Endpoint, body: string, protocols: readonly Protocol[] = ['openai']) {
  const request = parsed(endpoint, body);
  const edits = editsFor(request, modelFor(protocols));
  if (!Array.isArray(edits)) throw new Error(JSON.stringify(edits));
  return text(applyEdits(request.body, edits));
}

describe('parseRequest', () => {
  it('reads what matters of a chat', () => {
    const request = parsed('chat', { ...hello, stream: true, max_tokens: 5, n: 2, vendor: [1] });
    expect(request).toMatchObject({
      model: 'm',
      stream: true,
      usageWanted: false,
      outputTokensAsked: 5,
      choices: 2,
      messages: 1,
      promptBytes: 2,
    });
  });

  it.each([
    ['not JSON', '{', null],
    ['a list', '[]', null],
    ['a word', 'null', null],
    ['nothing', '', null],
    ['no model', '{"messages":[]}', 'model'],
    ['a model that is no text', '{"model":1}', 'model'],
    ['a repeated parameter', '{"model":"a","model":"b"}', 'model'],
    ['a repeated parameter in disguise', '{"model":"a","\\u006dodel":"b"}', 'model'],
    ['no messages', '{"model":"m"}', 'messages'],
    ['empty messages', '{"model":"m","messages":[]}', 'messages'],
    [
      'a message without content',
      '{"model":"m","messages":[{"role":"user"}]}',
      'messages[0].content',
    ],
    ['deep nesting', `{"model":"m","messages":${'['.repeat(100_000)}`, null],
  ])('refuses %s', (_what, body, param) => {
    expect(parseRequest('chat', bytes(body))).toMatchObject({ kind: 'request-invalid', param });
  });

  it.each([
    ['max_tokens', '9223372036854775808'],
    ['max_tokens', '-1'],
    ['max_tokens', '0'],
    ['max_tokens', '1.5'],
    ['max_tokens', '"5"'],
    ['max_tokens', '1e400'],
    ['max_completion_tokens', '[]'],
    ['n', '1000000'],
    ['n', '0'],
    ['stream', '"yes"'],
    ['stream_options', '1'],
    ['tools', '{}'],
  ])('refuses %s of %s', (param, value) => {
    const body = `{"model":"m","messages":[{"role":"user","content":"x"}],"${param}":${value}}`;
    expect(parseRequest('chat', bytes(body))).toMatchObject({ kind: 'request-invalid', param });
  });

  it('refuses bytes that are not UTF-8', () => {
    const body = bytes('{"model":"m?"}');
    body[11] = 0xff;
    expect(parseRequest('chat', body)).toMatchObject({ kind: 'request-invalid', param: null });
  });

  it('counts the size of each form of prompt', () => {
    expect(parsed('completions', { model: 'm', prompt: ['ab', 'c'] })).toMatchObject({
      promptBytes: 3,
      choices: 2,
    });
    expect(parsed('embeddings', { model: 'm', input: [[1, 2], [3]] })).toMatchObject({
      promptTokens: 3,
    });
    expect(parsed('images', { model: 'm', prompt: 'x', n: 2, size: '4x5' })).toMatchObject({
      images: 2,
      imagePixels: 40,
    });
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('chat', 'images'),
        (body, endpoint) => {
          parseRequest(endpoint, body);
        },
      ),
    );
    fc.assert(
      fc.property(fc.json(), (body) => {
        parseRequest('chat', bytes(body));
      }),
    );
  });
});

describe('boundOf', () => {
  it('covers every usage within it, at any price', () => {
    const amount = fc.bigInt(0n, 1n << 40n).map(picoUsd);
    const price = fc.record({
      version: fc.constant('v'),
      inputToken: amount,
      cachedInputToken: amount,
      outputToken: amount,
      image: amount,
      imagePixel: amount,
    });
    const fraction = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(
        price,
        fc.string({ unit: 'binary' }),
        fraction,
        fraction,
        (prices, content, input, cached) => {
          const bound = boundOf(
            parsed('chat', {
              ...hello,
              messages: [{ role: 'user', content: content.toWellFormed() }],
            }),
            modelFor(['openai']),
          );
          if ('kind' in bound) throw new Error(bound.kind);
          const inputTokens = Math.floor(bound.inputTokens * input);
          const usage = {
            ...bound,
            inputTokens,
            cachedInputTokens: Math.floor(inputTokens * cached),
          };
          expect(costOf(prices, usage)).toBeLessThanOrEqual(costBoundOf(prices, bound));
        },
      ),
    );
  });

  it('holds at least a token for each byte of text, and no more than the context', () => {
    const request = parsed('chat', {
      ...hello,
      messages: [{ role: 'user', content: 'é'.repeat(500) }],
    });
    const bound = boundOf(request, modelFor(['openai']));
    expect(bound).toMatchObject({ outputTokens: 4096 });
    if ('kind' in bound) throw new Error(bound.kind);
    expect(bound.inputTokens).toBeGreaterThan(1000);
    expect(estimatedInputTokensOf(request, bound)).toBe(253);
    const long = parsed('chat', {
      ...hello,
      messages: [{ role: 'user', content: 'x'.repeat(90_000) }],
    });
    expect(boundOf(long, modelFor(['openai']))).toMatchObject({ inputTokens: 8192 });
  });

  it('does not count a picture as text', () => {
    const url = `data:image/png;base64,${'A'.repeat(100_000)}`;
    const content = [{ type: 'image_url', image_url: { url } }];
    const request = parsed('chat', { ...hello, messages: [{ role: 'user', content }] });
    const bound = boundOf(request, modelFor(['openai']));
    if ('kind' in bound) throw new Error(bound.kind);
    expect(bound.inputTokens).toBeLessThan(2300);
  });
});

describe('editsFor', () => {
  it('asks for the usage of a stream without touching anything else', () => {
    const body =
      '{ "seed": 9007199254740993, "model":"m","max_tokens":5,"stream":true, "messages":[{"role":"user","content":"é"}]}';
    const changed = edited('chat', body);
    expect(changed).toContain('"seed": 9007199254740993');
    expect(JSON.parse(changed)).toEqual({
      ...JSON.parse(body),
      stream_options: { include_usage: true },
    });
  });

  it("keeps the caller's other stream options", () => {
    const body = JSON.stringify({
      ...hello,
      note: 'ü',
      max_tokens: 5,
      stream: true,
      stream_options: { include_usage: false, x: 1 },
    });
    expect(JSON.parse(edited('chat', body))).toMatchObject({
      note: 'ü',
      stream_options: { include_usage: true, x: 1 },
    });
  });

  it('leaves alone what needs no change', () => {
    const body = JSON.stringify({ ...hello, max_tokens: 5 });
    expect(edited('chat', body, ['atoma', 'openai'])).toBe(body);
  });

  it('states the output limit', () => {
    expect(JSON.parse(edited('chat', JSON.stringify(hello)))).toMatchObject({ max_tokens: 4096 });
    const hidden = JSON.stringify({ ...hello, max_completion_tokens: null, max_tokens: 5 });
    expect(JSON.parse(edited('chat', hidden, ['atoma']))).toMatchObject({
      max_completion_tokens: 5,
      max_tokens: 5,
    });
  });

  it('states number and size of pictures to an Atoma node', () => {
    const body = JSON.stringify({ model: 'm', prompt: 'x' });
    expect(JSON.parse(edited('images', body, ['atoma']))).toMatchObject({
      n: 1,
      size: '1024x1024',
    });
  });

  it('makes numbers safe to sign, for Atoma nodes only', () => {
    const body =
      '{"model":"m","max_tokens":5,"temperature":0.70,"messages":[{"role":"user","content":"0.70"}]}';
    expect(edited('chat', body)).toBe(body);
    expect(edited('chat', body, ['atoma'])).toBe(body.replace(':0.70', ':0.7'));
  });
});
