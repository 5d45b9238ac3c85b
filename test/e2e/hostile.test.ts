/** What a node can do with a request that we signed for it, and what a client can get signed. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blake2b256 } from '../../chain/blake2b.ts';
import { signerOf } from '../../chain/request-signature.ts';
import type { ReceivedRequest } from '../../devnet/records.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { sendChat } from './chat-request.ts';
import { chatModel, models, nodes } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { type RawRequest, send } from './raw.ts';
import { usageOf } from './usage.ts';

const stackUnits = 20_000;
const replyTokens = 4000;
const [thief, victim] = ['atoma-a', 'atoma-b'] as const;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ models, nodes, stackUnits, sellsAhead: false });
});
afterAll(async () => {
  if (!gateway) return;
  await untilSettled(gateway, gateway.accountId);
  expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
  await gateway.close();
});

const bodyOf = (tokens: number) => ({
  model: chatModel,
  max_tokens: tokens,
  messages: [{ role: 'user', content: 'Say something nice, please.' }],
});

async function ask(tokens: number): Promise<void> {
  expect(await sendChat(gateway, bodyOf(tokens)).answer).toMatchObject({ status: 200 });
}

/** A request of many tokens that the node got from us. */
async function stolenFrom(id: string): Promise<ReceivedRequest> {
  const node = gateway.devnet.node(id);
  node.setPace({ replyTokens: 4 });
  const before = node.received.length;
  for (let turn = 0; turn < 40 && node.received.length === before; turn += 1) {
    await ask(replyTokens);
  }
  await untilSettled(gateway, gateway.accountId);
  // The stacks are charged a moment after the account.
  await until(async () => (await poolState()).held === 0);
  const stolen = node.received.at(-1);
  if (!stolen) throw new Error('the node has got nothing');
  return stolen;
}

/** Sends it to another node as it is, but with this stack. */
const replay = async (stolen: ReceivedRequest, to: string, stack: string) => {
  const response = await fetch(`${gateway.devnet.node(to).url}${stolen.path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-signature': String(stolen.headers['x-signature']),
      'x-request-id': stolen.requestId,
      'x-stack-small-id': stack,
    },
    body: stolen.body,
  });
  return { status: response.status, text: await response.text() };
};

const stackOf = (id: string) => gateway.devnet.atomaNode(id).stacks()[0]?.id ?? '';
const poolState = () => gateway.storage.unitPool.state(chatModel);

/** All that callers and the gateway own. */
const owned = async () => ({
  balance: await gateway.storage.ledger.balance(gateway.accountId),
  lines: await usageOf(gateway, gateway.accountId),
  pool: await poolState(),
});

describe('a request that a node sends on to another node', () => {
  it('is refused there with the stack that it came with', async () => {
    const stolen = await stolenFrom(thief);
    const before = await owned();
    const { status, text } = await replay(stolen, victim, stackOf(thief));
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'INVALID_HEADER' } });
    expect(await owned()).toEqual(before);
  });

  it('burns units of that node’s stack at most: no caller pays, and none is refused', async () => {
    const stolen = await stolenFrom(thief);
    const before = await owned();
    gateway.devnet.node(victim).setPace({ replyTokens });
    let status = 200;
    for (let times = 0; times < 20 && status === 200; times += 1) {
      ({ status } = await replay(stolen, victim, stackOf(victim)));
    }
    expect([423, 425]).toContain(status);
    expect(await owned()).toEqual(before);

    const stack = stackOf(victim);
    const refused = async () => (await poolState()).stacks.find(({ id }) => id === stack)?.refused;
    for (let turn = 0; turn < 40 && (await refused()) === 'no'; turn += 1)
      await ask(replyTokens / 2);
    await until(async () => (await refused()) !== 'no');
  });
});

describe('a client that wants something signed', () => {
  const transaction = randomBytes(64);
  const message = Buffer.from('pay me');
  const hashes = [
    blake2b256(Buffer.concat([Buffer.of(0, 0, 0), transaction])),
    blake2b256(Buffer.concat([Buffer.of(3, 0, 0, message.length), message])),
  ];
  const texts = hashes.flatMap((hash) =>
    (['base64', 'hex'] as const).map((form) => Buffer.from(hash).toString(form)),
  );
  const confidential = (hash: string) => ({
    ...{ ciphertext: hash, stack_small_id: 1, nonce: hash, salt: hash },
    ...{ client_dh_public_key: hash, node_dh_public_key: hash },
    ...{ plaintext_body_hash: hash, model_name: chatModel, stream: false },
  });
  const json = (body: object) => JSON.stringify(body);
  const attempts: readonly (readonly [string, (hash: string) => RawRequest])[] = [
    ...['chat/completions', 'completions', 'embeddings', 'images/generations'].map(
      (path) =>
        [
          `an envelope to the confidential ${path}`,
          (hash: string) => ({
            path: `/v1/confidential/${path}`,
            body: json(confidential(hash)),
          }),
        ] as const,
    ),
    ['an envelope as a chat', (hash) => ({ body: json(confidential(hash)) })],
    [
      'an envelope within a chat',
      (hash) => ({ body: json({ ...confidential(hash), ...bodyOf(2) }) }),
    ],
    ['a hash as the body', (hash) => ({ body: hash })],
    ['a hash as a JSON body', (hash) => ({ body: JSON.stringify(hash) })],
    ['a hash in a list', (hash) => ({ body: JSON.stringify([hash]) })],
    [
      'a hash in headers',
      (hash) => ({
        body: json(bodyOf(2)),
        headers: [
          ['x-signature', hash],
          ['x-atoma-hash', hash],
          ['x-atoma-client-signature', hash],
          ['x-body-hash', hash],
          ['digest', `blake2b-256=${hash}`],
        ],
      }),
    ],
    [
      'a transaction as the body',
      () => ({ body: Buffer.concat([Buffer.of(0, 0, 0), transaction]) }),
    ],
    [
      'a transaction before a chat',
      () => ({ body: Buffer.concat([Buffer.of(0, 0, 0), Buffer.from(json(bodyOf(2)))]) }),
    ],
  ];

  it.each(attempts)('by %s gets nothing but chats signed', async (_name, attempt) => {
    const seen = () => gateway.devnet.nodes.flatMap(({ received }) => received);
    const before = new Set(seen());
    for (const text of texts) {
      const { status } = await send(gateway, attempt(text));
      expect([200, 400, 404]).toContain(status);
    }
    const owner = gateway.devnet.atomaNode(thief).stacks()[0]?.owner;
    for (const { path, headers, body } of seen().filter((one) => !before.has(one))) {
      const signature = String(headers['x-signature']);
      expect(path).toBe('/v1/chat/completions');
      expect(signerOf(blake2b256(canonicalJson(body)), signature)).toBe(owner);
      for (const hash of hashes) expect(signerOf(hash, signature)).toBeUndefined();
    }
  });
});
