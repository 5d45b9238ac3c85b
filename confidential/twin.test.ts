import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blake2b256 } from '../chain/blake2b.ts';
import { stackSmallId } from '../domain/chain-ids.ts';
import { createStreamSealer, sealResponse } from './answer-sealing.ts';
import { createExchangeCipher } from './cipher.ts';
import { readEnvelope } from './envelope.ts';
import { createKeyPair } from './keys.ts';
import { openRequest, sealRequest } from './request.ts';
import { openResponse } from './response.ts';
import { createStreamReader } from './stream.ts';
import { fixedBytes, nodeSeed, nodeSigner, seededBytes } from './testing/samples.ts';
import {
  type TwinRequest,
  twinOpenAnswer,
  twinOpenRequest,
  twinSealEvent,
  twinSealRequest,
  twinSealResponse,
} from './testing/twin.ts';
import { twinBlake2b256 } from './testing/twin-blake2b.ts';

const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const usage = fc.option(fc.record({ prompt_tokens: fc.nat(), total_tokens: fc.nat() }), {
  nil: undefined,
});
const exchange = fc.record({
  plaintext: fc.uint8Array({ maxLength: 300 }),
  clientSecret: fixed(32),
  nodeSecret: fixed(32),
  salt: fixed(16),
  nonce: fixed(12),
  answerNonce: fixed(12),
  stack: fc.nat(),
  model: fc.string({ unit: 'grapheme', maxLength: 20 }),
  stream: fc.boolean(),
  usage,
});
type Exchange = Omit<TwinRequest, 'nodePublicKey'> & {
  readonly nodeSecret: Uint8Array;
  readonly answerNonce: Uint8Array;
  readonly usage: unknown;
};

function sealFast(sample: Exchange) {
  const node = createKeyPair(fixedBytes(sample.nodeSecret));
  const { plaintext, stack, model, stream, clientSecret, salt, nonce } = sample;
  const request = {
    plaintext,
    nodePublicKey: node.publicKey,
    stackSmallId: stackSmallId(BigInt(stack)),
    modelName: model,
    stream,
    numComputeUnits: undefined,
  };
  const sealed = sealRequest(request, fixedBytes(clientSecret, salt, nonce));
  if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
  return { ...sealed, node };
}

const sealTwin = (sample: Exchange, nodePublicKey: Uint8Array) =>
  twinSealRequest({ ...sample, nodePublicKey });

function openFast(body: string, node: ReturnType<typeof createKeyPair>) {
  const envelope = readEnvelope(Buffer.from(body));
  if ('kind' in envelope) throw new Error(envelope.field);
  const opened = openRequest(envelope, node);
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  return opened;
}

const textOf = (value: unknown) => (value === undefined ? undefined : JSON.stringify(value));
const bytesOf = (bytes: Uint8Array) => new Uint8Array(bytes);

/** All four directions, once more the other way round, and the very bytes. */
function checkExchange(sample: Exchange): void {
  const { plaintext, nodeSecret, answerNonce } = sample;
  const fast = sealFast(sample);
  const twin = sealTwin(sample, fast.node.publicKey);
  expect(fast.body).toBe(twin.body);
  expect(bytesOf(twinOpenRequest(fast.body, nodeSecret).plaintext)).toEqual(plaintext);
  const opened = openFast(twin.body, fast.node);
  expect(bytesOf(opened.plaintext)).toEqual(plaintext);

  const answer = { plaintext, usage: textOf(sample.usage) };
  const { cipher } = opened;
  const randomBytes = fixedBytes(answerNonce, answerNonce);
  const sealed = sealResponse(answer, { cipher, key: nodeSigner, randomBytes });
  const keyed = { ...sample, key: twin.key, nonce: answerNonce, seed: nodeSeed };
  expect(sealed).toBe(twinSealResponse(keyed));
  const expected = { plaintext, signerAddress: nodeSigner.address };
  expect(twinOpenAnswer(sealed, twin.key)).toMatchObject({
    ...expected,
    plaintext: Buffer.from(plaintext),
  });
  expect(openResponse(twinSealResponse(keyed), fast.cipher)).toMatchObject(expected);

  const options = { cipher, key: nodeSigner, nonces: 'shared', randomBytes } as const;
  const event = createStreamSealer(options).seal(answer);
  expect(event).toBe(twinSealEvent(keyed));
  expect(createStreamReader(fast.cipher).open(event)).toMatchObject(expected);
}

describe('the wire format', () => {
  it('is the same to the twin, in every direction and byte for byte', () => {
    fc.assert(fc.property(exchange, checkExchange), { numRuns: 60 });
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['one byte', Uint8Array.of(0xff)],
    ['what is no UTF-8', Uint8Array.of(0xc3, 0x28, 0xff, 0xfe, 0x00)],
    ['a megabyte', seededBytes('large')(2 ** 20)],
  ])('carries %s', (_, plaintext) => {
    const bytes = seededBytes('sizes');
    checkExchange({
      plaintext,
      clientSecret: bytes(32),
      nodeSecret: bytes(32),
      salt: bytes(16),
      nonce: bytes(12),
      answerNonce: bytes(12),
      stack: 1,
      model: 'm',
      stream: true,
      usage: { prompt_tokens: 1, total_tokens: 1 },
    });
  });
});

describe('the hash', () => {
  it('is BLAKE2b of RFC 7693, with an output of 32 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (data) => {
        expect(bytesOf(twinBlake2b256(data))).toEqual(blake2b256(data));
      }),
    );
  });

  it('is not a longer hash cut short', () => {
    const long = createHash('blake2b512').update('abc').digest();
    expect(Buffer.from(twinBlake2b256(Buffer.from('abc')))).not.toEqual(long.subarray(0, 32));
  });
});

describe('a cipher', () => {
  it('overwrites its key and seals nothing under what is left', () => {
    const key = new Uint8Array(32).fill(7);
    const cipher = createExchangeCipher(key, { requestNonce: new Uint8Array(12) });
    cipher.erase();
    expect(key).toEqual(new Uint8Array(32));
    const nonce = new Uint8Array(12);
    expect(() => cipher.seal({ nonce, plaintext: nonce })).toThrow('erased');
    expect(() => cipher.open({ nonce, ciphertext: new Uint8Array(20) })).toThrow('erased');
  });
});
