/**
 * The wire format a second time, straight from the Atoma node protocol (sections 3, 9 and 11), on Node's own cryptography alone.
 * Slow, readable, and sharing no line with what it is compared to. Whatever does not fit throws.
 */
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto';
import { twinBlake2b256 } from './twin-blake2b.ts';

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const bytesOf = (text: unknown) => Buffer.from(String(text), 'base64');

function assertFits(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the twin refuses: ${what}`);
}

type Curve = 'X25519' | 'Ed25519';

const toUrl = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');

// DER of a private key of either curve without its 32 bytes (RFC 8410, section 7).
const privateDer = {
  X25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  Ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
};

const privateKeyOf = (curve: Curve, secret: Uint8Array) =>
  createPrivateKey({
    key: Buffer.concat([privateDer[curve], secret]),
    format: 'der',
    type: 'pkcs8',
  });

const publicKeyOf = (curve: Curve, bytes: Uint8Array) =>
  createPublicKey({ key: { kty: 'OKP', crv: curve, x: toUrl(bytes) }, format: 'jwk' });

/** The public bytes of a secret. */
export function twinPublicKey(curve: Curve, secret: Uint8Array): Uint8Array {
  const { x = '' } = createPublicKey(privateKeyOf(curve, secret)).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url');
}

/** shared = X25519(own secret, peer public); key = HKDF-SHA256(shared, salt, empty info, 32). */
export function twinKey(options: {
  secret: Uint8Array;
  peer: Uint8Array;
  salt: Uint8Array;
}): Uint8Array {
  const shared = diffieHellman({
    privateKey: privateKeyOf('X25519', options.secret),
    publicKey: publicKeyOf('X25519', options.peer),
  });
  return new Uint8Array(hkdfSync('sha256', shared, options.salt, Buffer.alloc(0), 32));
}

type Keyed = { key: Uint8Array; nonce: Uint8Array };

function encrypt(plaintext: Uint8Array, { key, nonce }: Keyed): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([body, cipher.getAuthTag()]);
}

function decrypt(ciphertext: Uint8Array, { key, nonce }: Keyed): Buffer {
  assertFits(ciphertext.length >= 16, 'a ciphertext without tag');
  assertFits(nonce.length === 12, 'a nonce of another length');
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAuthTag(ciphertext.subarray(-16));
  return Buffer.concat([decipher.update(ciphertext.subarray(0, -16)), decipher.final()]);
}

export type TwinRequest = {
  plaintext: Uint8Array;
  clientSecret: Uint8Array;
  nodePublicKey: Uint8Array;
  salt: Uint8Array;
  nonce: Uint8Array;
  stack: number;
  model: string;
  stream: boolean;
};

/** What a client sends, and the key with which it opens the answer. */
export function twinSealRequest(request: TwinRequest): { body: string; key: Uint8Array } {
  const { plaintext, clientSecret, nodePublicKey, salt, nonce } = request;
  const key = twinKey({ secret: clientSecret, peer: nodePublicKey, salt });
  const body = {
    ciphertext: base64(encrypt(plaintext, { key, nonce })),
    stack_small_id: request.stack,
    nonce: base64(nonce),
    salt: base64(salt),
    client_dh_public_key: base64(twinPublicKey('X25519', clientSecret)),
    node_dh_public_key: base64(nodePublicKey),
    plaintext_body_hash: base64(twinBlake2b256(plaintext)),
    stream: request.stream,
    model_name: request.model,
  };
  return { body: JSON.stringify(body), key };
}

/** What a node finds in it. */
export function twinOpenRequest(
  body: string,
  nodeSecret: Uint8Array,
): { plaintext: Uint8Array; key: Uint8Array } {
  const json: Record<string, unknown> = JSON.parse(body);
  const own = twinPublicKey('X25519', nodeSecret);
  assertFits(base64(own) === json.node_dh_public_key, 'another key');
  const salt = bytesOf(json.salt);
  assertFits(salt.length === 16, 'a salt of another length');
  const key = twinKey({ secret: nodeSecret, peer: bytesOf(json.client_dh_public_key), salt });
  const plaintext = decrypt(bytesOf(json.ciphertext), { key, nonce: bytesOf(json.nonce) });
  assertFits(base64(twinBlake2b256(plaintext)) === json.plaintext_body_hash, 'another hash');
  return { plaintext, key };
}

/** Ed25519 over the hash itself: base64 of flag 0, signature, public key. */
function twinSign(hash: Uint8Array, seed: Uint8Array): string {
  const signature = sign(null, hash, privateKeyOf('Ed25519', seed));
  return base64(Buffer.concat([Buffer.of(0), signature, twinPublicKey('Ed25519', seed)]));
}

function twinSigner(hash: Uint8Array, text: unknown): string {
  const bytes = bytesOf(text);
  assertFits(bytes.length === 97 && bytes[0] === 0, 'another scheme');
  const publicKey = bytes.subarray(65);
  const isValid = verify(null, hash, publicKeyOf('Ed25519', publicKey), bytes.subarray(1, 65));
  assertFits(isValid, 'an invalid signature');
  const address = twinBlake2b256(Buffer.concat([Buffer.of(0), publicKey]));
  return `0x${Buffer.from(address).toString('hex')}`;
}

export type TwinAnswer = Keyed & {
  plaintext: Uint8Array;
  seed: Uint8Array;
  usage: unknown;
};

/** What a node answers whole. */
export function twinSealResponse({ plaintext, usage, seed, ...keyed }: TwinAnswer): string {
  const hash = twinBlake2b256(plaintext);
  return JSON.stringify({
    nonce: base64(keyed.nonce),
    ciphertext: base64(encrypt(plaintext, keyed)),
    response_hash: base64(hash),
    signature: twinSign(hash, seed),
    usage,
  });
}

/** What a node sends as one event. */
export function twinSealEvent({ plaintext, usage, seed, ...keyed }: TwinAnswer): string {
  const hash = twinBlake2b256(plaintext);
  return JSON.stringify({
    ciphertext: base64(encrypt(plaintext, keyed)),
    nonce: base64(keyed.nonce),
    usage,
    signature: twinSign(hash, seed),
    response_hash: base64(hash),
  });
}

/** What a client finds in an answer or an event. */
export function twinOpenAnswer(
  text: string,
  key: Uint8Array,
): { plaintext: Uint8Array; signerAddress: string } {
  const json: Record<string, unknown> = JSON.parse(text);
  const plaintext = decrypt(bytesOf(json.ciphertext), { key, nonce: bytesOf(json.nonce) });
  const hash = twinBlake2b256(plaintext);
  assertFits(base64(hash) === json.response_hash, 'another hash');
  return { plaintext, signerAddress: twinSigner(hash, json.signature) };
}
