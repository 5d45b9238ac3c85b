/**
 * A signing key encrypted under a passphrase: scrypt (RFC 7914) derives the key of XChaCha20-Poly1305, which covers all other
 * fields as associated data. The address stands in clear, so that it can be shown without the passphrase.
 */
import { randomBytes, scrypt } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { z } from 'zod';
import { parseSuiAddress } from '../domain/chain-ids.ts';
import { parseJson } from '../domain/json.ts';
import { keyOfSeed, type SigningKey, seedOf } from './keystore.ts';

const saltBytes = 32;
const nonceBytes = 24;
const sealedBytes = 32 + 16;

/** scrypt's N, between which 16 and 256 MiB are used: a hostile file gets neither more memory nor less work. */
export const scryptCosts = { min: 2 ** 14, usual: 2 ** 17, max: 2 ** 18 } as const;
const blockSize = 8;

const hexOf = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const isPowerOfTwo = (value: number) => (value & (value - 1)) === 0;

const containerSchema = z.strictObject({
  version: z.literal(1),
  address: z.string().refine((text) => parseSuiAddress(text) !== undefined),
  kdf: z.strictObject({
    name: z.literal('scrypt'),
    n: z.int().min(scryptCosts.min).max(scryptCosts.max).refine(isPowerOfTwo),
    r: z.literal(blockSize),
    p: z.literal(1),
    salt: hexOf(saltBytes),
  }),
  cipher: z.strictObject({
    name: z.literal('xchacha20-poly1305'),
    nonce: hexOf(nonceBytes),
    ciphertext: hexOf(sealedBytes),
  }),
});

export type KeyContainer = Readonly<z.infer<typeof containerSchema>>;

export type ParsedContainer =
  | { readonly kind: 'container'; readonly container: KeyContainer }
  | { readonly kind: 'refused'; readonly reason: string };

/** Encrypts a key; `cost` is scrypt's N. */
export async function sealKey(
  key: SigningKey,
  options: { readonly passphrase: string; readonly cost?: number },
): Promise<string> {
  const salt = randomBytes(saltBytes).toString('hex');
  const nonce = randomBytes(nonceBytes).toString('hex');
  const open = {
    version: 1,
    address: key.address,
    kdf: { name: 'scrypt', n: options.cost ?? scryptCosts.usual, r: blockSize, p: 1, salt },
    cipher: { name: 'xchacha20-poly1305', nonce },
  } as const;
  const cipherKey = await deriveKey(options.passphrase, open.kdf);
  const seed = seedOf(key);
  const sealed = cipherOf(cipherKey, open).encrypt(seed);
  seed.fill(0);
  cipherKey.fill(0);
  const ciphertext = Buffer.from(sealed).toString('hex');
  const container: KeyContainer = { ...open, cipher: { ...open.cipher, ciphertext } };
  return `${JSON.stringify(container, null, 2)}\n`;
}

/** The key; nothing where the passphrase is another or anything was changed, which cannot be told apart. */
export async function openKey(
  container: KeyContainer,
  passphrase: string,
): Promise<SigningKey | undefined> {
  const cipherKey = await deriveKey(passphrase, container.kdf);
  const seed = decrypt(cipherKey, container);
  cipherKey.fill(0);
  if (!seed) return undefined;
  const key = keyOfSeed(seed);
  seed.fill(0);
  return key.address === container.address ? key : undefined;
}

/** Reads a container, whose key derivation is bounded before it costs anything. */
export function parseKeyContainer(text: string): ParsedContainer {
  const result = containerSchema.safeParse(parseJson(text));
  if (result.success) return { kind: 'container', container: result.data };
  const isDerivation = result.error.issues.every(({ path }) => path[0] === 'kdf');
  return { kind: 'refused', reason: isDerivation ? derivationRefused : containerRefused };
}

const derivationRefused =
  `asks for a key derivation out of bounds: expected scrypt with n a power of two from ${scryptCosts.min} ` +
  `to ${scryptCosts.max}, r ${blockSize} and p 1`;
const containerRefused = 'is no encrypted key file of version 1';

function deriveKey(passphrase: string, { n, r, p, salt }: KeyContainer['kdf']): Promise<Buffer> {
  // What scrypt itself needs is a little above 128 × N × r bytes.
  const options = { N: n, r, p, maxmem: 2 * 128 * n * r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase, Buffer.from(salt, 'hex'), 32, options, (cause, key) =>
      cause ? reject(cause) : resolve(key),
    );
  });
}

type Clear = Omit<KeyContainer, 'cipher'> & {
  readonly cipher: Omit<KeyContainer['cipher'], 'ciphertext'>;
};

function cipherOf(cipherKey: Uint8Array, { version, address, kdf, cipher }: Clear) {
  const { name, n, r, p, salt } = kdf;
  const clear = ['atoma-key', version, address, name, n, r, p, salt, cipher.name, cipher.nonce];
  return xchacha20poly1305(
    cipherKey,
    Buffer.from(cipher.nonce, 'hex'),
    Buffer.from(clear.join(' ')),
  );
}

function decrypt(cipherKey: Uint8Array, container: KeyContainer): Uint8Array | undefined {
  try {
    const sealed = Buffer.from(container.cipher.ciphertext, 'hex');
    return cipherOf(cipherKey, container).decrypt(sealed);
  } catch {
    // The tag does not fit.
    return undefined;
  }
}
