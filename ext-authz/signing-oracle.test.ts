/** What a caller can get the stack-owner key to sign: nothing that Sui would take for a transaction or a message. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blake2b256 } from '../chain/blake2b.ts';
import type { ApiKey } from '../domain/api-key.ts';
import { noLimits, scopes } from '../domain/api-key.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { applyEdits } from '../domain/edits.ts';
import { type Endpoint, endpoints } from '../domain/model.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { createCatalogueView } from './catalogue-view.ts';
import { createQuoting } from './quote.ts';
import { modelNamed } from './testing/world.ts';

const key: ApiKey = {
  ...{ id: 'key', accountId: 'acc', name: 'test', hint: '', createdMs: 0, scopes: [...scopes] },
  ...{ expiresMs: undefined, revokedMs: undefined, models: undefined, limits: noLimits },
};

/** Every byte that was hashed to be signed, as the key's owner would see it. */
function createRecorded() {
  const signed: Buffer[] = [];
  const catalogue = createCatalogueView();
  catalogue.replace({ version: '1', models: [modelNamed('m', { protocols: ['atoma'] })] });
  const quote = createQuoting({
    catalogue,
    bodyBytesMax: 2 ** 20,
    signBody(text) {
      signed.push(Buffer.from(canonicalJson(text)));
      return 'signature';
    },
    log: silentLog,
  });
  return { quote, signed };
}

const valid: Readonly<Record<Endpoint, object>> = {
  chat: { messages: [{ role: 'user', content: 'hi' }] },
  completions: { prompt: 'hi' },
  embeddings: { input: 'hi' },
  images: { prompt: 'hi', size: '256x256' },
};

/** The hash of a transaction that a caller would like to have signed, in the forms in which a field might carry it. */
const wanted = blake2b256(Buffer.concat([Buffer.of(0, 0, 0), Buffer.from('all coins to me')]));
const hashText = fc.constantFrom(
  ...(['base64', 'hex', 'latin1'] as const).map((form) => Buffer.from(wanted).toString(form)),
);
const hashFields = fc.record(
  {
    plaintext_body_hash: hashText,
    ciphertext: hashText,
    stack_small_id: fc.nat(),
    nonce: hashText,
    salt: hashText,
    response_hash: hashText,
    signature: hashText,
    'x-signature': hashText,
    user: hashText,
  },
  { requiredKeys: [] },
);
const headers = fc.record(
  {
    'x-signature': hashText,
    'x-body-hash': hashText,
    'x-atoma-hash': hashText,
    'x-tx-digest': hashText,
    'x-stack-small-id': hashText,
  },
  { requiredKeys: [] },
);
const filler = fc.dictionary(
  fc.string().filter((name) => name !== '__proto__'),
  fc.jsonValue(),
  { maxKeys: 4 },
);
/** What may stand around a JSON text, and what an intent would look like there. */
const around = fc.constantFrom('', ' \n', '\uFEFF', '\0\0\0', '\x03\0\0');

describe('what ext-authz signs', () => {
  it('is the object that the node will see, and begins with a brace', () => {
    let signatures = 0;
    const request = fc.tuple(fc.constantFrom(...endpoints), filler, hashFields, headers);
    fc.assert(
      fc.property(request, around, around, ([endpoint, extra, fields, sent], before, after) => {
        const { quote, signed } = createRecorded();
        const json = JSON.stringify({ ...extra, ...fields, ...valid[endpoint], model: 'm' });
        const body = Buffer.from(before + json + after);
        const all = { 'content-type': 'application/json', ...sent };
        const quoted = quote({ key, endpoint, headers: all, body });
        if (quoted.kind !== 'quote') {
          expect(signed).toEqual([]);
          return;
        }
        const seen = new TextDecoder().decode(applyEdits(body, quoted.edits));
        expect(signed).toEqual([Buffer.from(canonicalJson(seen))]);
        expect(signed[0]?.subarray(0, 2)).toEqual(Buffer.from('{"'));
        expect(blake2b256(signed[0] ?? Buffer.alloc(0))).not.toEqual(wanted);
        signatures += 1;
      }),
      { numRuns: 500 },
    );
    expect(signatures).toBeGreaterThan(20);
  });

  it.each(endpoints)('is nothing where the body for %s is bytes of a transaction', (endpoint) => {
    const intent = fc.constantFrom(...[0, 1, 2, 3, 4].map((scope) => Buffer.of(scope, 0, 0)));
    fc.assert(
      fc.property(intent, fc.uint8Array(), (prefix, rest) => {
        const { quote, signed } = createRecorded();
        const all = { 'content-type': 'application/json' };
        const json = Buffer.from(JSON.stringify({ ...valid[endpoint], model: 'm' }));
        for (const body of [Buffer.concat([prefix, rest]), Buffer.concat([prefix, json])]) {
          expect(quote({ key, endpoint, headers: all, body }).kind).not.toBe('quote');
        }
        expect(signed).toEqual([]);
      }),
    );
  });
});
