import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundOf, outputLimitOf } from './bound.ts';
import { applyEdits, editsFor } from './edits.ts';
import type { Endpoint, Model } from './model.ts';
import { type ParsedRequest, parseRequest } from './request.ts';

const openai: Model = {
  id: 'm',
  createdSeconds: 0,
  ownedBy: 'test',
  endpoints: ['chat', 'completions', 'embeddings', 'images'],
  protocols: ['openai'],
  contextTokensMax: 8192,
  outputTokensMax: 4096,
  mediaTokensMax: 1000,
  price: undefined,
};
const atoma: Model = { ...openai, protocols: ['atoma'] };
/** Its context has room for the output behind any prompt that these tests make. */
const roomy: Model = { ...openai, contextTokensMax: 10_000_000 };
const messages = [{ role: 'user', content: 'hi' }];
const chat = { model: 'm', messages };

function parse(endpoint: Endpoint, body: unknown): ParsedRequest {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const request = parseRequest(endpoint, new TextEncoder().encode(text));
  if ('kind' in request) throw new Error(JSON.stringify(request));
  return request;
}

function edit(endpoint: Endpoint, body: unknown, model: Model): string {
  const request = parse(endpoint, body);
  const edits = editsFor(request, model);
  if ('kind' in edits) throw new Error(edits.kind);
  return new TextDecoder().decode(applyEdits(request.body, edits));
}

describe('the edited body', () => {
  it('is the original plus what was meant, whatever else it holds', () => {
    const extra = fc.dictionary(
      fc.string({ unit: 'binary', minLength: 1 }).map((key) => `x${key}`),
      fc.jsonValue({ noUnicodeString: false }),
      { maxKeys: 5 },
    );
    fc.assert(
      fc.property(extra, fc.nat(4), fc.boolean(), (members, indent, isFirst) => {
        const body = isFirst
          ? { ...members, ...chat, stream: true }
          : { ...chat, stream: true, ...members };
        const text = JSON.stringify(body, null, indent);
        expect(JSON.parse(edit('chat', text, roomy))).toEqual({
          ...JSON.parse(text),
          stream_options: { include_usage: true },
          max_tokens: 4096,
        });
      }),
    );
  });

  it('replaces a member whose name is written with escapes', () => {
    const body = `{"model":"m","messages":${JSON.stringify(messages)},"max\\u005ftokens":null}`;
    expect(edit('chat', body.replace('\\\\', '\\'), openai)).toContain('\\u005ftokens":4096}');
  });
});

describe('the output limit', () => {
  it('is stated only where it fits behind the prompt', () => {
    const long = { ...chat, messages: [{ role: 'user', content: 'x'.repeat(6000) }] };
    expect(edit('chat', long, openai)).toBe(JSON.stringify(long));
    expect(boundOf(parse('chat', long), openai)).toMatchObject({ outputTokens: 8192 });
    expect(JSON.parse(edit('chat', long, atoma))).toMatchObject({ max_tokens: 1097 });
  });

  it('is not stated where the model may fill its context', () => {
    const model = { ...openai, outputTokensMax: 8192 };
    expect(edit('chat', chat, model)).toBe(JSON.stringify(chat));
    expect(outputLimitOf(parse('chat', chat), model).tokens).toBe(8192);
  });

  it('of a completion is the one that OpenAI documents', () => {
    const body = { model: 'm', prompt: 'x' };
    expect(JSON.parse(edit('completions', body, openai))).toMatchObject({ max_tokens: 16 });
  });

  it.each([
    [
      { max_completion_tokens: null, max_tokens: 5 },
      { max_completion_tokens: 5, max_tokens: 5 },
    ],
    [{ max_completion_tokens: null }, { max_completion_tokens: 4096 }],
    [{ max_tokens: 100_000 }, { max_tokens: 8192 }],
  ])('%o becomes %o for an Atoma node', (given, expected) => {
    expect(JSON.parse(edit('chat', { ...chat, ...given }, atoma))).toEqual({
      ...chat,
      ...expected,
    });
  });

  it('is written in digits for an Atoma node', () => {
    const body = `{"model":"m","messages":${JSON.stringify(messages)},"max_tokens":5.0}`;
    expect(edit('chat', body, atoma)).toBe(body.replace('5.0', '5'));
  });
});

describe('boundOf', () => {
  const lists = (length: number, count: number) =>
    Array.from({ length: count }, () => Array.from({ length }, () => 7));

  it('gives each list of tokens a context of its own', () => {
    const many = parse('embeddings', { model: 'm', input: lists(5000, 3) });
    expect(boundOf(many, openai)).toMatchObject({ outputTokens: 0 });
    const long = parse('embeddings', { model: 'm', input: lists(8193, 1) });
    expect(boundOf(long, openai)).toMatchObject({ kind: 'context-exceeded' });
  });

  it('counts tools as widely as a template may print them', () => {
    const tools = [{ a: { b: { c: [1, 2, 3] } } }];
    const plain = boundOf(parse('chat', chat), openai);
    const tooled = boundOf(parse('chat', { ...chat, tools }), openai);
    if ('kind' in plain || 'kind' in tooled) throw new Error('refused');
    const printed = JSON.stringify(tools, null, 4).length;
    expect(tooled.inputTokens - plain.inputTokens).toBeGreaterThan(printed);
  });

  it("is the whole context under the caller's own template", () => {
    const request = parse('chat', { ...chat, chat_template: '{{ messages }}' });
    expect(boundOf(request, openai)).toMatchObject({ inputTokens: 8192 });
  });

  it('never shrinks as the prompt grows', () => {
    fc.assert(
      fc.property(fc.nat(3000), fc.nat(3000), (length, more) => {
        const inputOf = (size: number) => {
          const content = 'x'.repeat(size);
          const bound = boundOf(
            parse('chat', { ...chat, messages: [{ role: 'user', content }] }),
            openai,
          );
          return 'kind' in bound ? -1 : bound.inputTokens;
        };
        expect(inputOf(length + more)).toBeGreaterThanOrEqual(inputOf(length));
      }),
      { numRuns: 30 },
    );
  });
});
