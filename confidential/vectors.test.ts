import { describe, expect, it } from 'vitest';
import { signerOf } from '../chain/request-signature.ts';
import { stackSmallId } from '../domain/chain-ids.ts';
import { createStreamSealer, sealResponse } from './answer-sealing.ts';
import { createExchangeCipher } from './cipher.ts';
import { readEnvelope } from './envelope.ts';
import { createKeyPair, deriveExchangeKey } from './keys.ts';
import { openRequest, sealRequest } from './request.ts';
import { openResponse } from './response.ts';
import { createStreamReader } from './stream.ts';
import { fixedBytes, hex, signingKey } from './testing/samples.ts';
import {
  twinKey,
  twinOpenAnswer,
  twinOpenRequest,
  twinPublicKey,
  twinSealEvent,
  twinSealRequest,
  twinSealResponse,
} from './testing/twin.ts';
import vectors from './vectors.json' with { type: 'json' };

const { confidential_request: request, confidential_response: response, streams } = vectors;
const body = JSON.stringify(request.request_body);
const plaintext = Buffer.from(request.plaintext);
const [clientSecret, nodeSecret] = [hex(request.client_secret_hex), hex(request.node_secret_hex)];
const [salt, nonce] = [hex(request.salt_hex), hex(request.nonce_hex)];
const nodeSeed = hex(vectors.keys.node_signer.seed_hex);
const signerAddress = vectors.keys.node_signer.address;
const key = () => hex(request.aes_key_hex);
const cipher = () => createExchangeCipher(key(), { requestNonce: nonce });
const usageOf = (text: string) => JSON.parse(text).usage;
const usageText = (text: string) => {
  const usage = usageOf(text);
  return usage === undefined ? undefined : JSON.stringify(usage);
};
const opened = (text: string) => ({
  kind: 'opened',
  plaintext: new Uint8Array(Buffer.from(text)),
  signerAddress,
  usage: usageOf(text),
});

describe('the published request', () => {
  it('is what a client seals', () => {
    const sealed = sealRequest(
      {
        plaintext,
        nodePublicKey: hex(request.node_public_hex),
        stackSmallId: stackSmallId(1n),
        modelName: 'm',
        stream: false,
        numComputeUnits: undefined,
      },
      fixedBytes(clientSecret, salt, nonce),
    );
    expect(sealed).toMatchObject({ kind: 'sealed', body });
  });

  it('is opened by its node', () => {
    const envelope = readEnvelope(Buffer.from(body));
    if ('kind' in envelope) throw new Error(envelope.field);
    const pair = createKeyPair(fixedBytes(nodeSecret));
    expect(openRequest(envelope, pair)).toMatchObject({
      kind: 'opened',
      plaintext: new Uint8Array(plaintext),
    });
    expect(Buffer.from(envelope.plaintextHash).toString('hex')).toBe(request.plaintext_hash_hex);
    expect(signerOf(envelope.plaintextHash, request.x_signature)).toBe(
      vectors.keys.request_signer.address,
    );
  });

  it('has the published key', () => {
    const peerPublicKey = hex(request.node_public_hex);
    expect(deriveExchangeKey({ secretKey: clientSecret, peerPublicKey, salt })).toEqual(key());
  });

  it('is what the twin seals and opens', () => {
    const nodePublicKey = hex(request.node_public_hex);
    expect(twinPublicKey('X25519', nodeSecret)).toEqual(Buffer.from(nodePublicKey));
    expect(twinKey({ secret: clientSecret, peer: nodePublicKey, salt })).toEqual(key());
    const common = { plaintext, clientSecret, nodePublicKey, salt, nonce };
    const sealed = twinSealRequest({ ...common, stack: 1, model: 'm', stream: false });
    expect(sealed.body).toBe(body);
    expect(twinOpenRequest(body, nodeSecret)).toEqual({ plaintext, key: key() });
  });
});

describe('the published answer', () => {
  const { plaintext: text, node_body: sealed, nonce_hex: nonceHex } = response;

  it('is what a node seals', () => {
    const answer = { plaintext: Buffer.from(text), usage: usageText(text) };
    const randomBytes = fixedBytes(hex(nonceHex));
    const options = { cipher: cipher(), key: signingKey(nodeSeed), randomBytes };
    expect(sealResponse(answer, options)).toBe(sealed);
  });

  it('is opened by its client', () => {
    expect(openResponse(sealed, cipher())).toEqual({
      ...opened(text),
      nonce: new Uint8Array(hex(nonceHex)),
      isNonceRepeated: false,
    });
  });

  it('is what the twin seals and opens', () => {
    const common = { key: key(), nonce: hex(nonceHex), seed: nodeSeed };
    const answer = { plaintext: Buffer.from(text), usage: usageOf(text) };
    expect(twinSealResponse({ ...common, ...answer })).toBe(sealed);
    expect(twinOpenAnswer(sealed, key())).toMatchObject({ signerAddress });
  });
});

describe.each(['shared', 'unique'] as const)('the published stream with %s nonces', (nonces) => {
  const events = streams.chunks.map((chunk) => {
    const legacy = chunk.confidential_event_data_legacy;
    if (nonces === 'shared') return legacy;
    const { ciphertext, nonce: legacyNonce } = JSON.parse(legacy);
    return legacy
      .replace(ciphertext, chunk.unique_nonce_ciphertext)
      .replace(legacyNonce, chunk.unique_nonce);
  });

  it('is what a node seals', () => {
    const sealer = createStreamSealer({
      cipher: cipher(),
      key: signingKey(nodeSeed),
      nonces,
      randomBytes: fixedBytes(hex(response.nonce_hex)),
    });
    const sealed = streams.chunks.map(({ plaintext: text }) =>
      sealer.seal({ plaintext: Buffer.from(text), usage: usageText(text) }),
    );
    expect(sealed).toEqual(events);
  });

  it('is opened by its client, who sees whether a nonce came again', () => {
    const reader = createStreamReader(cipher());
    for (const [index, { plaintext: text }] of streams.chunks.entries()) {
      const isNonceRepeated = nonces === 'shared' && index > 0;
      const event = events[index] ?? '';
      const nonce = new Uint8Array(Buffer.from(JSON.parse(event).nonce, 'base64'));
      const expected = { ...opened(text), nonce, isNonceRepeated, signed: 'plaintext' };
      expect(reader.open(event)).toEqual(expected);
    }
    expect(reader.repeatedNonces()).toBe(nonces === 'shared' ? 2 : 0);
  });

  it('is what the twin seals and opens', () => {
    for (const [index, { plaintext: text }] of streams.chunks.entries()) {
      const event = events[index] ?? '';
      const used = new Uint8Array(Buffer.from(JSON.parse(event).nonce, 'base64'));
      const answer = { plaintext: Buffer.from(text), usage: usageOf(text) };
      expect(twinSealEvent({ ...answer, key: key(), nonce: used, seed: nodeSeed })).toBe(event);
      expect(twinOpenAnswer(event, key())).toMatchObject({ signerAddress });
    }
  });
});
