import type OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  chatModel,
  nodeSmallId,
  type Relay,
  sealedClient,
  startRelay,
} from '../../test/sealing/relay.ts';
import { UnprovenError } from './errors.ts';
import type { SealedFetchOptions } from './sealed-fetch.ts';

let relay: Relay;
let published: Relay;
beforeAll(async () => {
  relay = await startRelay();
  published = await startRelay({ nonces: 'shared' });
});
afterAll(() => Promise.all([relay?.close(), published?.close()]));
beforeEach(() => {
  relay.setMiddleman({});
  relay.carried.length = 0;
});

const clientOf = (options: Partial<SealedFetchOptions> = {}, at = relay) =>
  sealedClient(at, options);
const ask = {
  model: chatModel,
  messages: [{ role: 'user' as const, content: 'Say hello, please.' }],
  max_tokens: 12,
};

async function textOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  return text;
}

describe('what is trusted', () => {
  const unproven = (what: string) => ({
    cause: expect.objectContaining({ unproven: what, isSent: false }),
  });

  it('is a pinned key and no other', async () => {
    const publicKey = relay.node.sealingKey();
    const { signerAddress } = relay.node;
    const pinned = { [nodeSmallId]: { publicKey, signerAddress } };
    await clientOf({ trust: { kind: 'keys', keys: pinned } }).chat.completions.create(ask);
    const other = { [nodeSmallId]: { publicKey: published.node.sealingKey() } };
    for (const keys of [other, {}]) {
      const call = clientOf({ trust: { kind: 'keys', keys } }).chat.completions.create(ask);
      await expect(call).rejects.toMatchObject(unproven('key'));
    }
    const impostor = { [nodeSmallId]: { publicKey, signerAddress: `0x${'1'.repeat(64)}` } };
    const call = clientOf({ trust: { kind: 'keys', keys: impostor } }).chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ unproven: 'signer', isSent: true });
  });

  it('is what the chain says', async () => {
    const key = Buffer.from(relay.node.sealingKey(), 'base64');
    const chain = (found: Uint8Array | undefined, owner = relay.node.signerAddress) =>
      clientOf({
        trust: {
          kind: 'chain',
          lookUpKey: async (id) => (id === BigInt(nodeSmallId) ? found : undefined),
          ownsNode: async ({ address }) => address === owner,
        },
      }).chat.completions.create(ask);
    await chain(key);
    await expect(chain(undefined)).rejects.toMatchObject(unproven('key'));
    await expect(chain(new Uint8Array(32))).rejects.toMatchObject(unproven('key'));
    await expect(chain(key, '0x1')).rejects.toMatchObject({ unproven: 'signer' });
  });

  it('is not a lock without a key, or with one that keeps no secret', async () => {
    const nothing = [{ public_key: 'AAAA' }, { public_key: null }, { node_small_id: -1 }];
    for (const change of nothing) {
      relay.setMiddleman({ lock: (lock) => ({ ...lock, ...change }) });
      await expect(clientOf().chat.completions.create(ask)).rejects.toMatchObject(unproven('lock'));
    }
    const weak = Buffer.alloc(32).toString('base64');
    relay.setMiddleman({ lock: (lock) => ({ ...lock, public_key: weak }) });
    await expect(clientOf().chat.completions.create(ask)).rejects.toMatchObject(unproven('key'));
    expect(relay.carried).toEqual([]);
  });
});

describe('a node that takes one nonce for all events', () => {
  const stream = { ...ask, stream: true } as const;

  it('is never asked for a stream, unless the caller asks for it', async () => {
    expect(
      await textOf(await clientOf({}, published).chat.completions.create(stream)),
    ).toBeTruthy();
    expect(published.carried.map(({ body }) => body).join()).not.toContain('"stream":true');
    const unproven = clientOf({ streams: 'live-unproven' }, published);
    expect(await textOf(await unproven.chat.completions.create(stream))).toBeTruthy();
  });

  it('breaks a stream that must be proven', async () => {
    const client = clientOf({ streams: 'live' }, published);
    const reading = client.chat.completions.create(stream).then(textOf);
    await expect(reading).rejects.toBeInstanceOf(UnprovenError);
    await expect(reading).rejects.toMatchObject({ unproven: expect.stringMatching(/nonce|order/) });
  });
});
