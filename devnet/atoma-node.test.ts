import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signBody } from '../chain/request-signature.ts';
import { checkResponse } from '../chain/response-signature.ts';
import { type AtomaNodeHandle, createAtomaNode } from './atoma-node.ts';
import { chatModel } from './served-model.ts';
import { dataOf, refusalOf } from './testing.ts';

const seeded = (name: string) => {
  const key = parseKeystoreEntry(toKeystoreEntry(createHash('sha256').update(name).digest()));
  if (!key) throw new Error('no key');
  return key;
};
const owner = seeded('owner');
const model = 'm';
const body = { model, messages: [{ role: 'user', content: 'hello there' }], max_tokens: 20 };
const grant = (id: string, units: number) => ({ id, owner: owner.address, units });

let node: AtomaNodeHandle;
beforeAll(async () => {
  node = await createAtomaNode({
    id: 'atoma',
    models: [
      chatModel(model),
      { id: 'vectors', endpoints: ['embeddings'], contextTokens: 512 },
      { id: 'pictures', endpoints: ['images'], contextTokens: 512 },
    ],
    stacks: [grant('1', 1_000_000), grant('2', 10), grant('3', 1000)],
  });
});
afterAll(() => node.close());

async function send(
  json: object,
  change: { headers?: Record<string, string | undefined>; path?: string } = {},
) {
  const text = JSON.stringify(json);
  const headers = new Headers();
  const all = {
    'content-type': 'application/json',
    'x-signature': signBody(owner, text),
    'x-stack-small-id': '1',
    'x-request-id': 'r1',
    ...change.headers,
  };
  for (const [name, value] of Object.entries(all))
    if (value !== undefined) headers.set(name, value);
  const path = change.path ?? '/v1/chat/completions';
  const response = await fetch(`${node.url}${path}`, { method: 'POST', body: text, headers });
  return { status: response.status, text: await response.text() };
}

describe('an Atoma node', () => {
  it('signs its answers', async () => {
    const { status, text } = await send(body);
    expect(status).toBe(200);
    expect(checkResponse(text)).toMatchObject({
      kind: 'signed',
      signerAddress: node.signerAddress,
    });
    expect(JSON.parse(text).usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 16 });
  });

  it('signs each chunk, reports usage unasked and never sends [DONE]', async () => {
    const { text } = await send({ ...body, stream: true });
    const chunks = dataOf(text);
    expect(chunks).toHaveLength(19);
    for (const chunk of chunks) expect(checkResponse(chunk).kind).toBe('signed');
    expect(JSON.parse(chunks.at(-1) ?? '')).toMatchObject({
      choices: [],
      usage: { completion_tokens: 16 },
    });
    expect(text).not.toContain('[DONE]');
  });

  it('sends comments in silence', async () => {
    node.setPace({ firstTokenMs: 100 });
    const { text } = await send({ ...body, stream: true });
    node.setPace({ firstTokenMs: 0 });
    expect(text).toMatch(/^(: keep-alive\n\n){2,7}data: /);
  });

  it('can sign badly', async () => {
    node.setFault({ kind: 'bad-signature' }, { requests: 1 });
    expect(checkResponse((await send(body)).text)).toMatchObject({ kind: 'invalid' });
  });

  it('serves the other endpoints', async () => {
    const completion = await send(
      { model, prompt: 'a', max_tokens: 5 },
      { path: '/v1/completions' },
    );
    expect(JSON.parse(completion.text).choices[0].finish_reason).toBe('length');
    const vectors = await send({ model: 'vectors', input: ['a'] }, { path: '/v1/embeddings' });
    expect(checkResponse(vectors.text).kind).toBe('signed');
    const pictures = await send(
      { model: 'pictures', prompt: 'a', n: 1, size: '64x64' },
      { path: '/v1/images/generations' },
    );
    expect(JSON.parse(pictures.text).data).toHaveLength(1);
  });

  it('refuses in its own words', async () => {
    const without = (name: string) => send(body, { headers: { [name]: undefined } });
    expect(await refusalOf(without('x-signature'))).toEqual([400, 'MISSING_HEADER']);
    expect(await refusalOf(without('x-stack-small-id'))).toEqual([400, 'MISSING_HEADER']);
    const header = (headers: Record<string, string>) => refusalOf(send(body, { headers }));
    expect(await header({ 'x-signature': 'AAAA' })).toEqual([400, 'INVALID_HEADER']);
    expect(await header({ 'x-signature': signBody(owner, '{}') })).toEqual([401, 'AUTH_ERROR']);
    expect(await header({ 'x-stack-small-id': '9' })).toEqual([400, 'INVALID_HEADER']);
    const stranger = { 'x-signature': signBody(seeded('stranger'), JSON.stringify(body)) };
    expect(await header(stranger)).toEqual([400, 'INVALID_HEADER']);
    expect(await header({ 'x-stack-small-id': '2' })).toEqual([425, 'UNAVAILABLE_STACK_ERROR']);
    expect(await refusalOf(send({ ...body, model: 'M' }))).toEqual([400, 'INVALID_BODY']);
    const empty = { ...body, messages: [{ role: 'user', content: null }] };
    expect(await refusalOf(send(empty))).toEqual([400, 'INVALID_BODY']);
  });

  it('needs a request id for a stream', async () => {
    const headers = { 'x-request-id': undefined };
    expect(await refusalOf(send({ ...body, stream: true }, { headers }))).toEqual([
      500,
      'INTERNAL_ERROR',
    ]);
  });

  it('answers extractor errors in plain text, and keeps the units', async () => {
    const before = node.stacks()[0]?.usedUnits ?? 0;
    const text = await send(body, { headers: { 'content-type': 'text/plain' } });
    expect(text.status).toBe(415);
    const long = { ...body, messages: [{ role: 'user', content: ' '.repeat(2 * 1024 * 1024) }] };
    const big = await send(long);
    expect([big.status, big.text.startsWith('Failed to buffer')]).toEqual([413, true]);
    expect((node.stacks()[0]?.usedUnits ?? 0) - before).toBe(26 + 24);
  });

  it('charges the real usage less the estimate of the input', async () => {
    const stack = () => node.stacks().find(({ id }) => id === '3');
    await send(body, { headers: { 'x-stack-small-id': '3' } });
    await expect.poll(() => stack()?.running).toBe(0);
    expect(stack()).toMatchObject({ usedUnits: 16, consumedUnits: 22 });
  });

  it('closes a stack on settlement', async () => {
    node.sellStack(grant('4', 1000));
    node.lockStack('4');
    const headers = { 'x-stack-small-id': '4' };
    expect(await refusalOf(send(body, { headers }))).toEqual([423, 'LOCKED_STACK_ERROR']);
  });

  it('stops a stream on demand, with usage in its last chunk', async () => {
    node.setPace({ tokensPerSecond: 100 });
    const stream = send({ ...body, stream: true }, { headers: { 'x-request-id': 'stop-me' } });
    await expect.poll(() => node.received.at(-1)?.tokensSent ?? 0).toBeGreaterThan(2);
    const stopped = await fetch(`${node.url}/v1/stop-streamer`, {
      method: 'POST',
      headers: { 'x-request-id': 'stop-me' },
    });
    expect(await stopped.json()).toBe('OK');
    const chunks = dataOf((await stream).text);
    node.setPace({ tokensPerSecond: 0 });
    expect(chunks.length).toBeLessThan(18);
    expect(JSON.parse(chunks.at(-1) ?? '').usage.completion_tokens).toBe(chunks.length - 1);
    expect(checkResponse(chunks.at(-1) ?? '').kind).toBe('signed');
  });
});
