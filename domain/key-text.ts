/**
 * How an API key is written: `sk-atoma-`, 256 random bits and a checksum in base 62, so that scanners recognise a leaked
 * key and a mistyped one is refused without a lookup.
 */

const prefix = 'sk-atoma-';
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomBytesCount = 32;
const secretLength = 43;
const checksumLength = 6;
const hintLength = prefix.length + 6;
const shape = new RegExp(
  `^${prefix}([0-9A-Za-z]{${secretLength}})([0-9A-Za-z]{${checksumLength}})$`,
);

/** Writes 32 random bytes as a key; the caller brings the randomness. */
export function keyTextFrom(randomBytes: Uint8Array): string {
  if (randomBytes.length !== randomBytesCount) {
    throw new RangeError(`expected ${randomBytesCount} random bytes, got ${randomBytes.length}`);
  }
  const number = randomBytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  const secret = toBase62(number, secretLength);
  return `${prefix}${secret}${checksumOf(secret)}`;
}

/** Whether the text has the form and the checksum of a key; says nothing of whether the key exists. */
export function isKeyText(text: string): boolean {
  const [, secret, checksum] = shape.exec(text) ?? [];
  return secret !== undefined && checksumOf(secret) === checksum;
}

/** The first characters, by which a person recognises a key in a list. */
export const keyHint = (text: string) => `${text.slice(0, hintLength)}…`;

const checksumOf = (secret: string) => toBase62(BigInt(crc32(secret)), checksumLength);

function toBase62(number: bigint, length: number): string {
  let digits = '';
  for (let rest = number; digits.length < length; rest /= 62n) {
    digits = alphabet.charAt(Number(rest % 62n)) + digits;
  }
  return digits;
}

/** CRC-32 as in ISO 3309 over ASCII text. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (let index = 0; index < text.length; index += 1) {
    crc ^= text.charCodeAt(index);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
