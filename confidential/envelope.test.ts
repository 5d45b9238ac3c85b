import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stackSmallId } from '../domain/chain-ids.ts';
import { parseBase64, toBase64 } from './base64.ts';
import {
  decodeEnvelope,
  decodeHash,
  envelopeBytesMax,
  parseEnvelope,
  plaintextBytesMax,
  printEnvelope,
  readEnvelope,
} from './envelope.ts';
import { sealRequest } from './request.ts';
import { nodePair, sealSample, seededBytes } from './testing/samples.ts';

const { body } = sealSample(Buffer.from('{}'));
const json: Record<string, unknown> = JSON.parse(body);
const read = (text: string) => readEnvelope(Buffer.from(text));
const changed = (change: object) => read(JSON.stringify({ ...json, ...change }));
const ofLength = (length: number) => toBase64(new Uint8Array(length).fill(1));

describe('base64', () => {
  it('is read in the form in which it is printed', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(new Uint8Array(parseBase64(toBase64(bytes)) ?? [])).toEqual(bytes);
      }),
    );
  });

  it.each([
    ['without padding', 'AA'],
    ['with half the padding', 'AA='],
    ['with too much padding', 'AAAA===='],
    ['of the URL alphabet', '-_-_'],
    ['with a line break', 'AAAA\n'],
    ['with a space', 'AA AA'],
    ['with stray bits', 'AB=='],
    ['that goes on', 'AA==AAAA'],
  ])('is refused %s', (_, text) => {
    expect(parseBase64(text)).toBeUndefined();
  });
});

describe('an envelope', () => {
  it('is read as it was printed', () => {
    const envelope = read(body);
    if ('kind' in envelope) throw new Error(envelope.field);
    expect(printEnvelope(envelope)).toBe(body);
  });

  it('is read in any order of its fields and with white space', () => {
    const reversed = Object.fromEntries(Object.entries(json).reverse());
    expect(read(JSON.stringify(reversed, null, 2))).toEqual(read(body));
  });

  it.each([
    ['ciphertext', ofLength(15)],
    ['ciphertext', null],
    ['nonce', ofLength(11)],
    ['nonce', ofLength(13)],
    ['salt', ofLength(15)],
    ['salt', ofLength(17)],
    ['client_dh_public_key', ofLength(31)],
    ['client_dh_public_key', ofLength(33)],
    ['node_dh_public_key', ofLength(31)],
    ['plaintext_body_hash', ofLength(31)],
    ['plaintext_body_hash', ofLength(33)],
    ['plaintext_body_hash', 'x'.repeat(44)],
    ['stack_small_id', '1'],
    ['stack_small_id', -1],
    ['stack_small_id', 1.5],
    ['stack_small_id', null],
    ['num_compute_units', -1],
    ['num_compute_units', '1'],
    ['stream', 'true'],
    ['stream', 1],
    ['model_name', null],
    ['model_name', 'm'.repeat(257)],
    ['model_name', '\ud800'],
  ])('is refused for its %s: %j', (field, value) => {
    expect(changed({ [field]: value })).toMatchObject({ kind: 'malformed', field });
  });

  it.each(Object.keys(json).filter((name) => name !== 'stream'))(
    'is refused without %s',
    (name) => {
      expect(changed({ [name]: undefined })).toMatchObject({ kind: 'malformed', field: name });
    },
  );

  it.each(['', 'null', '[]', '{', '"{}"', `\ufeff${body}`, body.slice(0, -1), `${body}{}`])(
    'is refused where it is no JSON object: %j',
    (text) => {
      expect(read(text)).toMatchObject({ kind: 'malformed' });
    },
  );

  it('is refused where it is no UTF-8', () => {
    const bytes = Buffer.from(body.replace('"m"', '"\u00ff"'), 'latin1');
    expect(readEnvelope(bytes)).toMatchObject({ kind: 'malformed' });
  });

  it('is refused with a field twice, however it is written', () => {
    for (const again of ['"stack_small_id":8', '"stack_small\\u005fid":8']) {
      const twice = `${body.slice(0, -1)},${again}}`;
      const expected = { kind: 'malformed', field: 'stack_small_id', expected: 'the field once' };
      expect(read(twice)).toEqual(expected);
      const options = { unknownFields: 'ignored' } as const;
      expect(parseEnvelope(Buffer.from(twice), options)).toEqual(expected);
    }
  });

  it('is not taken for a refusal where it names itself one', () => {
    const named = Buffer.from(`${body.slice(0, -1)},"kind":"malformed"}`);
    const ignored = parseEnvelope(named, { unknownFields: 'ignored' });
    expect(ignored).toMatchObject({ stackSmallId: 7n });
    expect(ignored).not.toHaveProperty('kind');
  });

  it('is refused with an unknown field by a gateway only', () => {
    const more = Buffer.from(`${body.slice(0, -1)},"priority":1}`);
    expect(readEnvelope(more)).toMatchObject({ kind: 'malformed' });
    const ignored = parseEnvelope(more, { unknownFields: 'ignored' });
    if ('kind' in ignored) throw new Error(ignored.field);
    expect(decodeEnvelope(ignored)).toEqual(read(body));
  });

  it('tells its hash before anything else is looked at', () => {
    const text = JSON.stringify({ ...json, salt: '', nonce: '', ciphertext: '' });
    const parsed = parseEnvelope(Buffer.from(text), { unknownFields: 'refused' });
    if ('kind' in parsed) throw new Error(parsed.field);
    expect(decodeHash(parsed)).toEqual(parseBase64(String(json.plaintext_body_hash)));
    expect(decodeEnvelope(parsed)).toMatchObject({ kind: 'malformed' });
  });

  it('takes null for what may be absent', () => {
    const nulls = changed({ stream: null, num_compute_units: null });
    expect(nulls).toMatchObject({ stream: undefined, numComputeUnits: undefined });
    expect(changed({ stream: undefined })).toMatchObject({ stream: undefined });
  });

  it('keeps every digit of 64-bit numbers, and refuses one more', () => {
    const withStack = (text: string) =>
      read(body.replace('"stack_small_id":7', `"stack_small_id":${text}`));
    expect(withStack('18446744073709551615')).toMatchObject({ stackSmallId: 2n ** 64n - 1n });
    expect(withStack('9007199254740993')).toMatchObject({ stackSmallId: 2n ** 53n + 1n });
    for (const text of ['18446744073709551616', '1e3', '7.0', '-0', '1E400']) {
      expect(withStack(text)).toMatchObject({ kind: 'malformed', field: 'stack_small_id' });
    }
  });

  it('is printed with the units that it names', () => {
    const envelope = changed({ num_compute_units: 5 });
    if ('kind' in envelope) throw new Error(envelope.field);
    expect(printEnvelope(envelope)).toBe(`${body.slice(0, -1)},"num_compute_units":5}`);
  });

  it('has room for the largest plaintext and for no more', () => {
    const largest = sealSample(new Uint8Array(plaintextBytesMax));
    expect(read(largest.body)).toMatchObject({ modelName: 'm' });
    const request = {
      plaintext: new Uint8Array(plaintextBytesMax + 1),
      nodePublicKey: nodePair.publicKey,
      stackSmallId: stackSmallId(1n),
      modelName: 'm',
      stream: false,
      numComputeUnits: undefined,
    };
    expect(() => sealRequest(request, seededBytes('too long'))).toThrow(RangeError);
    const long = JSON.stringify({ ...json, ciphertext: ofLength(plaintextBytesMax + 17) });
    expect(read(long)).toMatchObject({ kind: 'malformed', field: 'ciphertext' });
    expect(readEnvelope(new Uint8Array(envelopeBytesMax + 1))).toMatchObject({ kind: 'malformed' });
  });

  it('says nothing of what came', () => {
    const secret = 'sk-atoma-secret';
    expect(JSON.stringify(changed({ salt: secret, [secret]: 1 }))).not.toContain('secret');
    expect(JSON.stringify(changed({ salt: secret }))).not.toContain('secret');
  });
});
