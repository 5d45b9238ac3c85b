import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../domain/canonical-json.ts';
import { blake2b256 } from './blake2b.ts';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from './keystore.ts';
import { signBody, signerOf, signHash } from './request-signature.ts';
import { checkResponse, signResponse } from './response-signature.ts';
import vectors from './vectors.json' with { type: 'json' };

function keyOf(entry: string): SigningKey {
  const key = parseKeystoreEntry(entry);
  if (!key) throw new Error('not a key');
  return key;
}

const requestSigner = keyOf(vectors.keys.request_signer.keystore_entry);
const hex = (text: string) => Buffer.from(text, 'hex');

function tryToSign(text: string): string | undefined {
  try {
    return signBody(requestSigner, text);
  } catch {
    return undefined;
  }
}

describe('a keystore entry', () => {
  it.each(vectors.keys.keystore_address_pairs)('has the address $address', (pair) => {
    expect(keyOf(pair.keystore_entry).address).toBe(pair.address);
  });

  it.each(['', 'AQ==', 'no base64 at all', toKeystoreEntry(new Uint8Array(32)).slice(4)])(
    'is refused where it is no Ed25519 key: %s',
    (entry) => {
      expect(parseKeystoreEntry(entry)).toBeUndefined();
    },
  );
});

describe('a request signature', () => {
  const plain = vectors.request_signatures.filter(({ id }) => !id.includes('arbitrary'));

  it.each(plain)('equals the published one ($id)', ({ raw_body: body, x_signature: signature }) => {
    expect(signBody(requestSigner, body)).toBe(signature);
  });

  it.each(vectors.request_signatures_other_schemes.vectors)(
    'of another scheme is recognised ($id)',
    ({ x_signature: signature, address }) => {
      const hash = hex(vectors.request_signatures_other_schemes.hash_hex);
      expect(signerOf(hash, signature)).toBe(address);
      expect(signerOf(blake2b256('another body'), signature)).toBeUndefined();
    },
  );

  it('is only ever made over a text that begins with a brace', () => {
    const intent = fc.constantFrom(...[0, 1, 2, 3, 4, 5, 6].map((scope) => [scope, 0, 0]));
    const bytes = fc.tuple(intent, fc.uint8Array()).map(([prefix, rest]) => [...prefix, ...rest]);
    const text = fc.oneof(
      fc.json(),
      fc.dictionary(fc.string(), fc.jsonValue()).map((json) => JSON.stringify(json)),
      fc.string({ unit: 'binary' }),
      bytes.map((all) => Buffer.from(all).toString()),
      bytes.map((all) => Buffer.from(all).toString('latin1')),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('', ' ', '\n\t', '\uFEFF'), (given, before) => {
        const signed = tryToSign(before + given);
        if (signed === undefined) return;
        const printed = canonicalJson(before + given);
        expect(printed).toMatch(/^\{["}]/);
        expect(signerOf(blake2b256(printed), signed)).toBe(requestSigner.address);
      }),
      { numRuns: 2000 },
    );
  });

  it.each(['[]', '"{}"', '0', 'null', '\0\0\0{}', ''])('is refused for %j', (text) => {
    expect(() => signBody(requestSigner, text)).toThrow();
  });

  it('names its signer, and nobody once a bit is flipped', () => {
    const hash = blake2b256('{}');
    const signature = Buffer.from(signHash(requestSigner, hash), 'base64');
    expect(signerOf(hash, signature.toString('base64'))).toBe(requestSigner.address);
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), (bit) => {
        const mutated = Buffer.from(signature);
        mutated[bit >> 3] = (mutated[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(signerOf(hash, mutated.toString('base64'))).not.toBe(requestSigner.address);
      }),
    );
  });
});

describe('a signed answer', () => {
  const {
    node_body: body,
    backend_body: backend,
    node_address: address,
  } = vectors.response_signature;
  const nodeSigner = keyOf(toKeystoreEntry(hex(vectors.keys.node_signer.seed_hex)));

  it('is made and recognised as published', () => {
    expect(signResponse(nodeSigner, backend)).toBe(body);
    expect(checkResponse(body)).toMatchObject({ kind: 'signed', signerAddress: address });
  });

  it.each(vectors.stream_events)('may be one chunk of a stream', (event) => {
    expect(checkResponse(event)).toMatchObject({ kind: 'signed', signerAddress: address });
  });

  it('is invalid once its text differs', () => {
    const changed = body.replace('"ok"', '"no"');
    expect(checkResponse(changed)).toEqual({ kind: 'invalid', reason: 'hash' });
  });

  it('is invalid once its signature differs', () => {
    const other = signResponse(requestSigner, '{"another":1}');
    const foreign = /"signature":"[^"]+"/.exec(other)?.[0] ?? '';
    const changed = body.replace(/"signature":"[^"]+"/, foreign);
    expect(checkResponse(changed)).toEqual({ kind: 'invalid', reason: 'signature' });
  });

  it('is unsigned where the members are missing', () => {
    expect(checkResponse(backend)).toEqual({ kind: 'unsigned' });
  });
});
