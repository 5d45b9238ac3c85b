import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkResponse } from '../chain/response-signature.ts';
import { createStreamSealer, type NoncePolicy } from './answer-sealing.ts';
import { readEnvelope } from './envelope.ts';
import { openRequest } from './request.ts';
import { createStreamReader } from './stream.ts';
import { createStreamNonces, isNumbered, noncesRememberedMax } from './stream-nonces.ts';
import { nodePair, nodeSigner, sealSample, seededBytes } from './testing/samples.ts';

const client = sealSample(new Uint8Array(1));
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

function sealerOf(nonces: NoncePolicy) {
  const envelope = readEnvelope(Buffer.from(client.body));
  if ('kind' in envelope) throw new Error(envelope.field);
  const opened = openRequest(envelope, nodePair);
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  const { cipher } = opened;
  return createStreamSealer({ cipher, key: nodeSigner, nonces, randomBytes: seededBytes('s') });
}

const chunk = (text: string, usage?: string) => ({ plaintext: bytes(text), usage });

describe('a stream', () => {
  it('keeps usage outside from the chunk that carries it on', () => {
    const sealer = sealerOf('unique');
    const events = [chunk('a'), chunk('b', '{"total_tokens":1}'), chunk('c')];
    const usages = events.map((event) => JSON.parse(sealer.seal(event)).usage);
    expect(usages).toEqual([undefined, { total_tokens: 1 }, { total_tokens: 1 }]);
  });

  it.each(['unique', 'numbered'] as const)(
    'never takes a nonce twice where they are %s',
    (nonces) => {
      const sealer = sealerOf(nonces);
      const reader = createStreamReader(client.cipher);
      for (let index = 0; index < 600; index += 1) {
        expect(reader.open(sealer.seal(chunk(String(index))))).toMatchObject({
          kind: 'opened',
          plaintext: bytes(String(index)),
          isNonceRepeated: false,
        });
      }
      expect(reader.repeatedNonces()).toBe(0);
    },
  );

  it('says the place of each event where nonces are numbered', () => {
    const sealer = sealerOf('numbered');
    const nonces = ['a', 'b', 'c'].map((text) =>
      Buffer.from(JSON.parse(sealer.seal(chunk(text))).nonce, 'base64'),
    );
    const [first = new Uint8Array()] = nonces;
    const places = nonces.map((nonce) =>
      [0, 1, 2].filter((number) => isNumbered(nonce, { first, number })),
    );
    expect(places).toEqual([[0], [1], [2]]);
  });

  it('gives away the XOR of its chunks where they share a nonce, and the reader sees it', () => {
    const sealer = sealerOf('shared');
    const [first, second] = [sealer.seal(chunk('attack')), sealer.seal(chunk('defend'))];
    const ciphertext = (event: string) => Buffer.from(JSON.parse(event).ciphertext, 'base64');
    const xor = (left: Uint8Array, right: Uint8Array) =>
      [...left.subarray(0, 6)].map((byte, at) => byte ^ (right[at] ?? 0));
    expect(xor(ciphertext(first), ciphertext(second))).toEqual(
      xor(bytes('attack'), bytes('defend')),
    );
    const reader = createStreamReader(client.cipher);
    expect(reader.open(first)).toMatchObject({ isNonceRepeated: false });
    expect(reader.open(second)).toMatchObject({ isNonceRepeated: true });
  });

  it('loses, repeats and reorders chunks, which only a repeated nonce shows', () => {
    const sealer = sealerOf('unique');
    const [first = '', , third = ''] = ['1', '2', '3'].map((text) => sealer.seal(chunk(text)));
    const reader = createStreamReader(client.cipher);
    const opened = [third, first, first].map((event) => reader.open(event));
    expect(opened).toMatchObject([
      { plaintext: bytes('3'), isNonceRepeated: false },
      { plaintext: bytes('1'), isNonceRepeated: false },
      { plaintext: bytes('1'), isNonceRepeated: true },
    ]);
  });

  it('that was stopped ends with an event that is signed itself', () => {
    const sealer = sealerOf('shared');
    const event = sealer.sealStopped({ plaintext: bytes('x'), usage: '{"total_tokens":1}' });
    expect(Object.keys(JSON.parse(event))).toEqual([
      'ciphertext',
      'nonce',
      'usage',
      'signature',
      'response_hash',
    ]);
    const signed = { kind: 'signed', signerAddress: nodeSigner.address };
    expect(checkResponse(event)).toMatchObject(signed);
    expect(createStreamReader(client.cipher).open(event)).toMatchObject({
      kind: 'opened',
      signed: 'event',
      plaintext: bytes('x'),
    });
  });
});

describe('the nonces of a stream', () => {
  const nonceOf = (value: number) => {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(0, value);
    return nonce;
  };

  it('are repeated exactly where they came before, the nonce of the request included', () => {
    fc.assert(
      fc.property(fc.nat(5), fc.array(fc.nat(8), { maxLength: 40 }), (request, values) => {
        const nonces = createStreamNonces({ requestNonce: nonceOf(request) });
        const before = [request];
        for (const value of values) {
          expect(nonces.isRepeated(nonceOf(value))).toBe(before.includes(value));
          before.push(value);
        }
        expect(nonces.repeated()).toBe(before.length - new Set(before).size);
      }),
    );
  });

  it('are remembered up to a limit', () => {
    const nonces = createStreamNonces({ requestNonce: nonceOf(0) });
    for (let value = 1; value < noncesRememberedMax; value += 1) nonces.isRepeated(nonceOf(value));
    expect(nonces.isRepeated(nonceOf(0))).toBe(true);
    nonces.isRepeated(nonceOf(noncesRememberedMax));
    expect(nonces.isRepeated(nonceOf(0))).toBe(true);
    expect(nonces.isRepeated(nonceOf(1))).toBe(false);
  });
});
