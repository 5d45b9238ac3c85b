import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blake2b256 } from '../chain/blake2b.ts';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signHash } from '../chain/request-signature.ts';
import { sealRequest } from '../confidential/request.ts';
import { openResponse } from '../confidential/response.ts';
import { createStreamReader } from '../confidential/stream.ts';
import { stackSmallId } from '../domain/chain-ids.ts';
import { type AtomaNodeHandle, createAtomaNode } from './atoma-node.ts';
import { createOpenAiNode } from './openai-node.ts';
import { chatModel } from './served-model.ts';
import { dataOf, refusalOf } from './testing.ts';

const seeded = (name: string) => {
  const key = parseKeystoreEntry(toKeystoreEntry(blake2b256(name)));
  if (!key) throw new Error('no key');
  return key;
};
const owner = seeded('owner');
const model = 'm';
const body = { model, messages: [{ role: 'user', content: 'hello there' }], stream: false };
const grant = (id: string, units: number) => ({ id, owner: owner.address, units });
const options = {
  id: 'sealed',
  models: [
    chatModel(model),
    { id: 'vectors', endpoints: ['embeddings' as const], contextTokens: 512 },
    { id: 'pictures', endpoints: ['images' as const], contextTokens: 512 },
  ],
  stacks: [grant('1', 1_000_000), grant('2', 30), grant('3', 1000), grant('4', 1000)],
};

let node: AtomaNodeHandle;
beforeAll(async () => {
  node = await createAtomaNode(options);
});
afterAll(() => node.close());

type Change = {
  path?: string;
  stack?: bigint;
  headers?: Record<string, string | undefined>;
  envelope?: Record<string, unknown>;
  hash?: Uint8Array;
  to?: AtomaNodeHandle;
  sealingKey?: string;
};

async function send(json: object, change: Change = {}) {
  const { to = node, stack = 1n, path = '/v1/confidential/chat/completions' } = change;
  const plaintext = Buffer.from(JSON.stringify(json));
  const sealed = sealRequest(
    {
      plaintext,
      nodePublicKey: Buffer.from(change.sealingKey ?? to.sealingKey(), 'base64'),
      stackSmallId: stackSmallId(stack),
      modelName: 'whatever',
      stream: false,
      numComputeUnits: undefined,
    },
    randomBytes,
  );
  if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
  const headers = new Headers();
  const all = {
    'content-type': 'application/json',
    'x-signature': signHash(owner, change.hash ?? blake2b256(plaintext)),
    'x-request-id': 'r1',
    ...change.headers,
  };
  for (const [name, value] of Object.entries(all))
    if (value !== undefined) headers.set(name, value);
  const envelope = JSON.stringify({ ...JSON.parse(sealed.body), ...change.envelope });
  const response = await fetch(`${to.url}${path}`, { method: 'POST', body: envelope, headers });
  return { status: response.status, text: await response.text(), cipher: sealed.cipher };
}

async function open(sent: ReturnType<typeof send>) {
  const { status, text, cipher } = await sent;
  expect(status).toBe(200);
  const opened = openResponse(text, cipher);
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  return { ...opened, json: JSON.parse(Buffer.from(opened.plaintext).toString()), text };
}

describe('a sealed request to an Atoma node', () => {
  it('is answered sealed and signed, with usage in clear', async () => {
    const answer = await open(send(body));
    const outside = JSON.parse(answer.text);
    expect(Object.keys(outside)).toEqual([
      'nonce',
      'ciphertext',
      'response_hash',
      'signature',
      'usage',
    ]);
    expect(answer.signerAddress).toBe(node.signerAddress);
    expect(answer.isNonceRepeated).toBe(false);
    expect(answer.json).toMatchObject({ object: 'chat.completion', usage: outside.usage });
    expect(answer.json).not.toHaveProperty('signature');
    expect(outside.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 16 });
    expect(node.received.at(-1)?.body).not.toContain('hello');
    expect(answer.text).not.toContain('assistant');
  });

  it('is answered on every endpoint', async () => {
    const path = (name: string) => ({ path: `/v1/confidential/${name}` });
    const text = await open(send({ model, prompt: 'a', max_tokens: 5 }, path('completions')));
    expect(text.json.choices[0].finish_reason).toBe('length');
    const vectors = await open(send({ model: 'vectors', input: ['a'] }, path('embeddings')));
    expect(vectors.usage).toEqual(vectors.json.usage);
    const pictures = { model: 'pictures', prompt: 'a', n: 1, size: '1024x1024' };
    const images = await open(send(pictures, path('images/generations')));
    expect(images.json.data).toHaveLength(1);
    expect(JSON.parse(images.text)).not.toHaveProperty('usage');
  });

  it('is streamed chunk by chunk, under one nonce, and never ends with [DONE]', async () => {
    const { text, cipher } = await send({ ...body, stream: true });
    const events = dataOf(text);
    expect(text).not.toContain('[DONE]');
    expect(events).toHaveLength(19);
    const reader = createStreamReader(cipher);
    const opened = events.map((event) => reader.open(event));
    for (const chunk of opened) {
      expect(chunk).toMatchObject({ kind: 'opened', signerAddress: node.signerAddress });
    }
    expect(reader.repeatedNonces()).toBe(18);
    const usages = events.map((event) => JSON.parse(event).usage);
    expect(usages.slice(0, -1)).toEqual(new Array(18).fill(undefined));
    expect(usages.at(-1)).toMatchObject({ completion_tokens: 16 });
  });

  it('is streamed under unique nonces where the node is told so', async () => {
    const unique = await createAtomaNode({ ...options, nonces: 'unique' });
    const { text, cipher } = await send({ ...body, stream: true }, { to: unique });
    const reader = createStreamReader(cipher);
    for (const event of dataOf(text)) expect(reader.open(event)).toMatchObject({ kind: 'opened' });
    expect(reader.repeatedNonces()).toBe(0);
    await unique.close();
  });

  it('that is stopped ends with an event signed over itself', async () => {
    node.setPace({ tokensPerSecond: 100 });
    const stream = send({ ...body, stream: true }, { headers: { 'x-request-id': 'stop-me' } });
    await expect.poll(() => node.received.at(-1)?.tokensSent ?? 0).toBeGreaterThan(2);
    const headers = { 'x-request-id': 'stop-me' };
    await fetch(`${node.url}/v1/stop-streamer`, { method: 'POST', headers });
    const { text, cipher } = await stream;
    node.setPace({ tokensPerSecond: 0 });
    const events = dataOf(text);
    expect(events.length).toBeLessThan(18);
    const reader = createStreamReader(cipher);
    const last = events.map((event) => reader.open(event)).at(-1);
    // Nothing was estimated for the prompt.
    expect(last).toMatchObject({
      signed: 'event',
      signerAddress: node.signerAddress,
      usage: { prompt_tokens: 0, completion_tokens: events.length - 1 },
    });
  });

  it('is refused in the order and the words of the node', async () => {
    const refused = (change: Change) => refusalOf(send(body, change));
    const header = (headers: Record<string, string | undefined>) => refused({ headers });
    const field = (envelope: Record<string, unknown>) => refused({ envelope });
    const internal = [500, 'INTERNAL_ERROR'];
    expect(await field({ stack_small_id: '1' })).toEqual([400, 'INVALID_BODY']);
    expect(await field({ plaintext_body_hash: 'AAAA', salt: '' })).toEqual([400, 'INVALID_HEADER']);
    expect(await header({ 'x-signature': undefined })).toEqual([400, 'MISSING_HEADER']);
    expect(await header({ 'x-signature': 'AAAA' })).toEqual([400, 'INVALID_HEADER']);
    expect(await refused({ hash: blake2b256('other') })).toEqual([400, 'INVALID_HEADER']);
    for (const name of ['salt', 'nonce', 'ciphertext', 'client_dh_public_key'])
      expect(await field({ [name]: 'AAAA' })).toEqual(internal);
    expect(await field({ salt: 'AAAAAAAAAAAAAAAAAAAAAA==' })).toEqual(internal);
    expect(await refused({ stack: 9n })).toEqual([400, 'INVALID_HEADER']);
    expect(await refusalOf(send({ ...body, model: 'M' }))).toEqual([400, 'INVALID_BODY']);
    const stream = send({ ...body, stream: true }, { headers: { 'x-request-id': undefined } });
    expect(await refusalOf(stream)).toEqual(internal);
  });

  it('is refused where the plaintext is not what was signed', async () => {
    const hash = blake2b256('{}');
    const envelope = { plaintext_body_hash: Buffer.from(hash).toString('base64') };
    expect(await refusalOf(send(body, { hash, envelope }))).toEqual([400, 'INVALID_BODY']);
  });

  it('may carry fields that the node does not know', async () => {
    await open(send(body, { envelope: { priority: 1 } }));
  });

  it('names its stack in the envelope, whatever a header says', async () => {
    await open(send(body, { stack: 3n, headers: { 'x-stack-small-id': '9' } }));
    const stack = () => node.stacks().find(({ id }) => id === '3');
    await expect.poll(() => stack()?.running).toBe(0);
    expect(stack()).toMatchObject({ usedUnits: 22 });
  });

  it('reserves nothing, and is free where it would exceed the stack', async () => {
    const stack = () => node.stacks().find(({ id }) => id === '2');
    await open(send(body, { stack: 2n }));
    await expect.poll(() => stack()).toMatchObject({ running: 0, usedUnits: 22 });
    await open(send(body, { stack: 2n }));
    await expect.poll(() => stack()).toMatchObject({ running: 0, usedUnits: 22 });
  });

  it('costs nothing for embeddings and pictures', async () => {
    const change = { stack: 4n, path: '/v1/confidential/embeddings' };
    await open(send({ model: 'vectors', input: ['a'] }, change));
    const stack = () => node.stacks().find(({ id }) => id === '4');
    await expect.poll(() => stack()).toMatchObject({ running: 0, usedUnits: 0 });
  });

  it('fails where the backend tells no usage', async () => {
    node.setFault({ kind: 'usage-missing' }, { requests: 1 });
    expect(await refusalOf(send(body))).toEqual([500, 'INTERNAL_ERROR']);
  });

  it('fails after a rotation, until it is sealed to the new key', async () => {
    const before = node.sealingKey();
    node.rotateSealingKey();
    expect(node.sealingKey()).not.toBe(before);
    expect(await refusalOf(send(body, { sealingKey: before }))).toEqual([500, 'INTERNAL_ERROR']);
    await open(send(body));
  });

  it('is answered although the key rotates meanwhile', async () => {
    node.setPace({ firstTokenMs: 150 });
    const sent = open(send(body));
    await expect.poll(() => node.openRequests).toBe(1);
    await expect.poll(() => node.received.at(-1)?.body).not.toBe('');
    node.rotateSealingKey();
    await sent;
    node.setPace({ firstTokenMs: 0 });
  });

  it('finds no page at a plain OpenAI server', async () => {
    const plain = await createOpenAiNode({ id: 'plain', models: options.models });
    const path = '/v1/confidential/chat/completions';
    const response = await fetch(`${plain.url}${path}`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(404);
    await plain.close();
  });
});
