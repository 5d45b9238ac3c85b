/** Hashes as receipts write them: `sha256:` and lower-case hex. */
import { hash } from 'node:crypto';
import { z } from 'zod';

export const digestText = z.string().regex(/^sha256:[0-9a-f]{64}$/);

export const digestFromHex = (hex: string): string => `sha256:${hex}`;

export const digestOf = (data: Uint8Array | string): string =>
  digestFromHex(hash('sha256', data, 'hex'));

export const toDigest = (bytes: Uint8Array): string =>
  digestFromHex(Buffer.from(bytes).toString('hex'));

export const fromDigest = (text: string): Uint8Array =>
  Buffer.from(text.slice('sha256:'.length), 'hex');
