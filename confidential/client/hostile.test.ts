/** A middleman between caller and node changes whatever passes: the caller sees what the node said, or an error. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { blake2b256 } from '../../chain/blake2b.ts';
import { keyOfSeed } from '../../chain/keystore.ts';
import { signHash } from '../../chain/request-signature.ts';
import {
  beginLate,
  cutOut,
  drop,
  events,
  flip,
  move,
  repeat,
  truncate,
} from '../../test/sealing/changes.ts';
import {
  chatModel,
  nodeSmallId,
  type Relay,
  sealedClient,
  startRelay,
} from '../../test/sealing/relay.ts';
import { parseBase64, toBase64 } from '../base64.ts';
import { readEnvelope } from '../envelope.ts';
import { createKeyPair } from '../keys.ts';
import { openRequest } from '../request.ts';
import { type SealedFetchOptions, type Streams, sealedFetch } from './sealed-fetch.ts';

let relay: Relay;
let pinned: SealedFetchOptions['trust'];
beforeAll(async () => {
  relay = await startRelay();
  const publicKey = relay.node.sealingKey();
  const { signerAddress } = relay.node;
  pinned = { kind: 'keys', keys: { [nodeSmallId]: { publicKey, signerAddress } } };
});
afterAll(() => relay?.close());
beforeEach(() => {
  relay.setMiddleman({});
  relay.carried.length = 0;
});

const messages = [{ role: 'user' as const, content: 'Say hello, please.' }];
const ask = { model: chatModel, messages, max_tokens: 6 };

/** What the caller sees: all text, tool calls and counts, or `undefined` for an error. */
async function seen(streams: Streams | 'none'): Promise<string | undefined> {
  const options = { trust: pinned, streams: streams === 'none' ? 'whole' : streams } as const;
  const call = sealedFetch({ ...options, baseUrl: relay.baseUrl });
  const isStream = streams !== 'none';
  const body = {
    ...ask,
    stream: isStream,
    ...(isStream && { stream_options: { include_usage: true } }),
  };
  try {
    const response = await call(`${relay.baseUrl}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    return response.ok ? withoutIds(await response.text()) : undefined;
  } catch {
    return undefined;
  }
}

/** Identity and time differ between two honest answers. */
const withoutIds = (text: string) => text.replace(/"id":"[^"]*"|"created":\d+/g, '');

describe('an answer that is changed on its way', () => {
  it.each(['none', 'whole'] as const)(
    'is what the node said or an error (stream: %s)',
    async (streams) => {
      const honest = await seen(streams);
      expect(honest).toContain('length');
      let refused = 0;
      await fc.assert(
        fc.asyncProperty(fc.oneof(flip, truncate, cutOut), async (answer) => {
          relay.setMiddleman({ answer });
          const result = await seen(streams);
          if (result === undefined) refused += 1;
          else expect(result).toBe(honest);
        }),
        { numRuns: 200 },
      );
      expect(refused).toBeGreaterThan(150);
    },
  );

  it('is what the node said or an error, as a live stream', async () => {
    const honest = await seen('live');
    expect(honest).toContain('[DONE]');
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(flip, truncate, cutOut, drop, repeat, move, beginLate),
        async (answer) => {
          relay.setMiddleman({ answer });
          const result = await seen('live');
          if (result === undefined) refused += 1;
          else expect(result).toBe(honest);
        },
      ),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(150);
  });

  it.each(['none', 'whole', 'live'] as const)(
    'is none of an earlier request (stream: %s)',
    async (streams) => {
      let earlier: Buffer = Buffer.alloc(0);
      relay.setMiddleman({ answer: (bytes) => (earlier = bytes) });
      expect(await seen(streams)).toBeDefined();
      relay.setMiddleman({ answer: () => earlier });
      expect(await seen(streams)).toBeUndefined();
      const splice = events((list) => [...earlier.toString().split('\n\n').slice(0, 1), ...list]);
      relay.setMiddleman({ answer: splice });
      expect(await seen(streams)).toBeUndefined();
    },
  );

  it('is not the request itself, sent back under its own nonce and signed anew', async () => {
    const key = keyOfSeed(blake2b256('middleman'));
    relay.setMiddleman({
      answer() {
        const sent = sentEnvelope();
        const hash = parseBase64(sent.plaintext_body_hash) ?? new Uint8Array();
        const { nonce, ciphertext } = sent;
        const signature = signHash(key, hash);
        return Buffer.from(
          JSON.stringify({ nonce, ciphertext, response_hash: toBase64(hash), signature }),
        );
      },
    });
    const call = sealedClient(relay).chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ unproven: 'nonce' });
  });
});

const envelopeShape = z.looseObject({
  nonce: z.string(),
  ciphertext: z.string(),
  plaintext_body_hash: z.string(),
  node_dh_public_key: z.string(),
});
const sentEnvelope = () => envelopeShape.parse(JSON.parse(relay.carried.at(-1)?.body ?? '{}'));

describe('a request that is changed on its way', () => {
  it('is answered as it was asked, or not at all', async () => {
    const honest = await seen('none');
    await fc.assert(
      fc.asyncProperty(fc.oneof(flip, truncate, cutOut), async (change) => {
        relay.setMiddleman({ envelope: (body) => change(Buffer.from(body)).toString('latin1') });
        expect([honest, undefined]).toContain(await seen('none'));
      }),
      { numRuns: 200 },
    );
  });

  it('is none that another caller sealed', async () => {
    await seen('none');
    const other = relay.carried.at(-1)?.body ?? '';
    relay.setMiddleman({ envelope: () => other });
    expect(await seen('none')).toBeUndefined();
  });
});

describe('a lock that is changed on its way', () => {
  const change = fc.oneof(
    fc
      .uint8Array({ minLength: 0, maxLength: 40 })
      .map((bytes) => ({ public_key: toBase64(bytes) })),
    fc.nat().map((id) => ({ node_small_id: id })),
    fc.nat().map((id) => ({ stack_small_id: id })),
    fc
      .constantFrom('public_key', 'node_small_id', 'stack_small_id')
      .map((name) => ({ [name]: null })),
  );

  it('leads to nothing that is sealed to another key than the pinned one', async () => {
    const honest = await seen('none');
    const key = relay.node.sealingKey();
    await fc.assert(
      fc.asyncProperty(change, async (changed) => {
        relay.setMiddleman({ lock: (lock) => ({ ...lock, ...changed }) });
        expect([honest, undefined]).toContain(await seen('none'));
        expect(sentEnvelope().node_dh_public_key).toBe(key);
      }),
      { numRuns: 100 },
    );
  });

  it('leads to nothing where it names a key from before a rotation', async () => {
    const own = await startRelay();
    const old = own.node.sealingKey();
    own.node.rotateSealingKey();
    const keys = { [nodeSmallId]: { publicKey: own.node.sealingKey() } };
    const client = sealedClient(own, { trust: { kind: 'keys', keys } });
    await client.chat.completions.create(ask);
    own.setMiddleman({ lock: (lock) => ({ ...lock, public_key: old }) });
    const call = client.chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ cause: { unproven: 'key' } });
    expect(own.carried).toHaveLength(1);
    await own.close();
  });
});

it('an answer of another kind is refused, though the node sealed it', async () => {
  relay.setMiddleman({ path: (path) => path.replace('chat/', '') });
  const prompt = { prompt: 'Once' };
  const call = sealedClient(relay).chat.completions.create({ ...ask, ...prompt });
  await expect(call).rejects.toMatchObject({ unproven: 'answer' });
});

describe.each(['none', 'whole', 'live'] as const)('a node that breaks (stream: %s)', (streams) => {
  it.each([
    { kind: 'cut-mid-stream', afterEvents: 3 },
    { kind: 'end-mid-stream', afterEvents: 3 },
    { kind: 'malformed-json', afterEvents: 3 },
    { kind: 'malformed-sse', afterEvents: 3 },
    { kind: 'bad-signature' },
    { kind: 'usage-missing' },
    { kind: 'usage-negative' },
  ] as const)('is an error: $kind', async (fault) => {
    const honest = await seen(streams);
    relay.node.setFault(fault, { requests: 1 });
    // Some faults are of streams alone, and leave a whole answer whole.
    const isOfStreams = streams !== 'live' && fault.kind === 'malformed-sse';
    expect(await seen(streams)).toBe(isOfStreams ? honest : undefined);
  });
});

describe('version 1 of the wire format does not show', () => {
  it('what is in clear of a request: model, stream and units', async () => {
    const honest = await seen('none');
    relay.setMiddleman({
      envelope(body) {
        const changed = { model_name: 'other', stream: true, num_compute_units: 9 };
        return JSON.stringify({ ...JSON.parse(body), ...changed });
      },
    });
    expect(await seen('none')).toBe(honest);
  });

  it('that events are missing, where their nonces are not numbered', async () => {
    const honest = await seen('live-unproven');
    relay.setMiddleman({ answer: events((list) => list.toSpliced(2, 2)) });
    const shortened = await seen('live-unproven');
    expect(shortened).toContain('[DONE]');
    expect(shortened).not.toBe(honest);
  });

  it('that a lock names the gateway’s own key, to who trusts the lock alone', async () => {
    const pair = createKeyPair(randomBytes);
    relay.setMiddleman({ lock: (lock) => ({ ...lock, public_key: toBase64(pair.publicKey) }) });
    await sealedClient(relay)
      .chat.completions.create(ask)
      .catch(() => undefined);
    const envelope = readEnvelope(Buffer.from(relay.carried.at(-1)?.body ?? ''));
    if ('kind' in envelope) throw new Error('no envelope');
    const opened = openRequest(envelope, pair);
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    expect(Buffer.from(opened.plaintext).toString()).toContain('Say hello');
  });
});
