/** Whatever a client may send: it works, or it is refused in OpenAI's words, without a node or a cent being involved. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chatModel, embeddingModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { errorIn, type RawRequest, send, stateOf } from './raw.ts';

const unpricedModel = 'acme/gift-1';
const nodesFile = `
models:
  - { id: ${unpricedModel}, endpoints: [chat], context_tokens: 4096, output_tokens_max: 512 }
nodes:
  - { id: gift, url: 'http://127.0.0.1:9', models: [${unpricedModel}] }
`;

let gateway: TestGateway;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-inputs-'));
  const file = join(folder, 'nodes.yaml');
  await writeFile(file, nodesFile);
  gateway = await startTestGateway({ env: { ATOMA_NODES_FILE: file } });
  await until(async () => {
    const { models } = await gateway.storage.catalogue.read();
    return models.some(({ id }) => id === unpricedModel) && models.length >= 6;
  });
});
afterAll(async () => {
  await gateway?.close();
  await rm(folder, { recursive: true, force: true });
});

const messages = [{ role: 'user', content: 'hi' }];
const chat = (extra: object = {}) =>
  JSON.stringify({ model: chatModel, messages, max_tokens: 4, ...extra });
/** A valid chat in which one member is written by hand. */
const chatWith = (member: string) =>
  `{"model":"${chatModel}","messages":[{"role":"user","content":"hi"}],${member}}`;

type Refused = {
  readonly status: number;
  readonly code?: string | null;
  readonly param?: string | null;
};

async function expectRefusal(request: RawRequest, { status, code = null, param = null }: Refused) {
  const before = await stateOf(gateway);
  const answer = await send(gateway, request);
  expect(answer).toMatchObject({ status });
  expect(errorIn(answer)).toMatchObject({ code, param });
  expect(await stateOf(gateway)).toEqual(before);
}

/** A valid chat of exactly so many bytes, nearly all of them a picture. */
function chatOfBytes(model: string, bytes: number): string {
  const bodyWith = (picture: string) =>
    JSON.stringify({
      model,
      max_tokens: 4,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'hi' },
            { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } },
          ],
        },
      ],
    });
  return bodyWith('A'.repeat(bytes - bodyWith('').length));
}

const mebibyte = 2 ** 20;
const bodyBytesMax = 20 * mebibyte;
const receivedBodies = () =>
  gateway.devnet.nodes.flatMap(({ received }) => received).map(({ body }) => body);

describe('a body', () => {
  it.each([
    [chatModel, 32 * 1024 + 1, false],
    [chatModel, mebibyte, false],
    [chatModel, mebibyte, true],
    [plainModel, 65_537, true],
    [plainModel, mebibyte, false],
    [plainModel, bodyBytesMax, false],
    [plainModel, bodyBytesMax, true],
  ])(
    'for %s of %i bytes reaches a node unchanged; in chunks: %s',
    async (model, bytes, chunked) => {
      const body = chatOfBytes(model, bytes);
      expect(body).toHaveLength(bytes);
      expect(await send(gateway, { body, chunked })).toMatchObject({ status: 200 });
      expect(receivedBodies().at(-1) === body || receivedBodies().includes(body)).toBe(true);
      await untilSettled(gateway, gateway.accountId);
    },
  );

  it.each([
    [plainModel, bodyBytesMax + 1, false],
    [plainModel, bodyBytesMax + 1, true],
    [plainModel, bodyBytesMax + 5 * mebibyte, false],
    // An Atoma node reads no more than 2 MiB.
    [chatModel, 2 * mebibyte, false],
    [chatModel, 2 * mebibyte, true],
  ])('for %s of %i bytes is 413; in chunks: %s', async (model, bytes, chunked) => {
    const body = chatOfBytes(model, bytes);
    await expectRefusal({ body, chunked }, { status: 413, code: 'request_too_large' });
  });

  it('that is large is not read for a key that is not good', async () => {
    const body = chatOfBytes(plainModel, mebibyte);
    await expectRefusal(
      { body, apiKey: 'sk-atoma-nobody' },
      { status: 401, code: 'invalid_api_key' },
    );
  });
});

const invalidUtf8 = Buffer.from(chat());
invalidUtf8[invalidUtf8.indexOf('hi')] = 0xff;

const badBodies: readonly (readonly [what: string, body: string | Buffer, param: string | null])[] =
  [
    ['nothing', '', null],
    ['one byte', 'x', null],
    ['half a JSON', '{"model":"', null],
    ['JSON and more', `${chat()}{}`, null],
    ['a list', `[${chat()}]`, null],
    ['a text', '"hello"', null],
    ['null', 'null', null],
    ['a byte order mark', `\uFEFF${chat()}`, null],
    ['invalid UTF-8', invalidUtf8, null],
    ['half a character', chatWith('"user":"\\ud800"'), null],
    [
      'nesting of 100 000 levels',
      chatWith(`"x":${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      null,
    ],
    ['nesting of 65 levels', chatWith(`"x":${'['.repeat(64)}${']'.repeat(64)}`), null],
    ['NaN', chatWith('"temperature":NaN'), null],
    ['Infinity', chatWith('"temperature":Infinity'), null],
    ['a model twice', chatWith(`"model":"${plainModel}"`), 'model'],
    ['a model twice, once in disguise', chatWith(`"\\u006dodel":"${plainModel}"`), 'model'],
    ['a limit twice', chatWith('"max_tokens":1,"max_tokens":4'), 'max_tokens'],
    ['no model', JSON.stringify({ messages }), 'model'],
    ['an empty model', chat({ model: '' }), 'model'],
    ['a model that is a number', chat({ model: 7 }), 'model'],
    ['a model of 10 000 characters', chat({ model: 'm'.repeat(10_000) }), 'model'],
    ['no messages', JSON.stringify({ model: chatModel }), 'messages'],
    ['empty messages', chat({ messages: [] }), 'messages'],
    ['messages that are a text', chat({ messages: 'hi' }), 'messages'],
    ['a message that is null', chat({ messages: [null] }), 'messages[0]'],
    ['a message without a role', chat({ messages: [{ content: 'hi' }] }), 'messages[0].role'],
    [
      'content that is a number',
      chat({ messages: [{ role: 'user', content: 7 }] }),
      'messages[0].content',
    ],
    [
      'a part without a type',
      chat({ messages: [{ role: 'user', content: [{}] }] }),
      'messages[0].content[0]',
    ],
    ['max_tokens of 2^63', chatWith('"max_tokens":9223372036854775808'), 'max_tokens'],
    ['max_tokens of 2^64', chatWith('"max_tokens":18446744073709551616'), 'max_tokens'],
    ['max_tokens beyond all numbers', chatWith('"max_tokens":1e400'), 'max_tokens'],
    ['max_tokens of 0', chat({ max_tokens: 0 }), 'max_tokens'],
    ['negative max_tokens', chat({ max_tokens: -1 }), 'max_tokens'],
    ['fractional max_tokens', chat({ max_tokens: 1.5 }), 'max_tokens'],
    ['max_tokens as a text', chat({ max_tokens: '5' }), 'max_tokens'],
    ['max_tokens as true', chat({ max_tokens: true }), 'max_tokens'],
    [
      'negative max_completion_tokens',
      chat({ max_completion_tokens: -5 }),
      'max_completion_tokens',
    ],
    ['a million choices', chat({ n: 1_000_000 }), 'n'],
    ['no choice', chat({ n: 0 }), 'n'],
    ['minus one choice', chat({ n: -1 }), 'n'],
    ['half a choice', chat({ n: 0.5 }), 'n'],
    ['a stream of "yes"', chat({ stream: 'yes' }), 'stream'],
    ['stream options without a stream', chat({ stream_options: {} }), 'stream_options'],
    ['tools that are an object', chat({ tools: {} }), 'tools'],
  ];

describe.each([false, true])('a body, in chunks: %s,', (chunked) => {
  it.each(badBodies)('that holds %s is 400', async (_what, body, param) => {
    await expectRefusal({ body, chunked }, { status: 400, param });
  });
});

const largePrompt = Array.from({ length: 40_000 }, () => 7);
const completion = (extra: object) =>
  JSON.stringify({ model: chatModel, prompt: 'Once', ...extra });
const images = { path: '/v1/images/generations' };

const refusals: readonly (readonly [what: string, request: RawRequest, refused: Refused])[] = [
  ['no key', { apiKey: null }, { status: 401, code: 'invalid_api_key' }],
  ['a key that is no key', { apiKey: 'hello' }, { status: 401, code: 'invalid_api_key' }],
  [
    'a key of 10 000 characters',
    { apiKey: 'k'.repeat(10_000) },
    { status: 401, code: 'invalid_api_key' },
  ],
  [
    'an unknown model',
    { body: chat({ model: 'nobody/knows' }) },
    { status: 404, code: 'model_not_found', param: 'model' },
  ],
  [
    'an unpriced model',
    { body: chat({ model: unpricedModel }) },
    { status: 404, code: 'model_not_found', param: 'model' },
  ],
  [
    'a model that does not chat',
    { body: chat({ model: embeddingModel }) },
    { status: 400, code: 'unsupported_endpoint', param: 'model' },
  ],
  [
    'a prompt beyond the context',
    { path: '/v1/completions', body: completion({ prompt: largePrompt }) },
    { status: 400, code: 'context_length_exceeded' },
  ],
  [
    'no prompt',
    { path: '/v1/completions', body: completion({ prompt: undefined }) },
    { status: 400, param: 'prompt' },
  ],
  [
    'an empty input',
    { path: '/v1/embeddings', body: JSON.stringify({ model: embeddingModel, input: [] }) },
    { status: 400, param: 'input' },
  ],
  [
    'a picture of no size',
    { ...images, body: completion({ size: '0x0' }) },
    { status: 400, param: 'size' },
  ],
  ['eleven pictures', { ...images, body: completion({ n: 11 }) }, { status: 400, param: 'n' }],
  ['another content type', { contentType: 'text/plain' }, { status: 415 }],
  ['a form', { contentType: 'multipart/form-data; boundary=x' }, { status: 415 }],
  ['no content type', { contentType: null }, { status: 415 }],
  ['a content type twice', { headers: [['content-type', 'text/plain']] }, { status: 415 }],
  ['a compressed body', { headers: [['content-encoding', 'gzip']] }, { status: 415 }],
  ['an unknown path', { path: '/v1/nothing' }, { status: 404 }],
  ['the root', { path: '/' }, { status: 404 }],
  ['a path below an endpoint', { path: '/v1/chat/completions/x' }, { status: 404 }],
  ['a path with a NUL', { path: '/v1/chat/completions%00' }, { status: 400 }],
  ['a path that climbs to nowhere', { path: '/v1/chat/completions/../../admin' }, { status: 404 }],
  ['a path that climbs to the API', { path: '/v1/chat/../account' }, { status: 405 }],
  ['the method GET', { method: 'GET' }, { status: 405 }],
  ['the method PUT', { method: 'PUT' }, { status: 405 }],
  ['the method DELETE', { method: 'DELETE' }, { status: 405 }],
  ['the method OPTIONS', { method: 'OPTIONS' }, { status: 405 }],
  ['a method that nobody knows', { method: 'BREW' }, { status: 400 }],
  ['a POST to the models', { path: '/v1/models' }, { status: 405 }],
  ['OPTIONS for the server', { method: 'OPTIONS', path: '*' }, { status: 404 }],
  [
    'an upgrade',
    {
      headers: [
        ['connection', 'upgrade'],
        ['upgrade', 'websocket'],
      ],
    },
    { status: 403 },
  ],
  [
    'two keys',
    { headers: [['authorization', 'Bearer sk-atoma-other']] },
    { status: 401, code: 'invalid_api_key' },
  ],
  [
    'an underscore in the name of a header',
    { headers: [['x_atoma_cluster', 'x']] },
    { status: 400 },
  ],
  [
    'headers beyond their number',
    { headers: Array.from({ length: 70 }, (_, at) => [`x-${at}`, 'x']) },
    { status: 431 },
  ],
  ['headers beyond their size', { headers: [['x-long', 'x'.repeat(70_000)]] }, { status: 431 }],
  ['a length and chunks', { chunked: true, headers: [['content-length', '4']] }, { status: 400 }],
  ['two lengths', { headers: [['content-length', '4']] }, { status: 400 }],
];

describe('a request with', () => {
  it.each(refusals)('%s is refused', async (_what, request, refused) => {
    await expectRefusal({ body: chat(), ...request }, refused);
  });
});
