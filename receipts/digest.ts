/** Hashes as receipts write them: `sha256:` and lower-case hex. */
import { hash } from 'node:crypto';
import { z } from 'zod';

export const digestText = z.string().regex(/^sha256:[0-9a-f]{64}$/);

export const digestOf = (data: Uint8Array | string): string =>
  `sha256:${hash('sha256', data, 'hex')}`;

export const toDigest = (bytes: Uint8Array): string =>
  `sha256:${Buffer.from(bytes).toString('hex')}`;

export const fromDigest = (text: string): Uint8Array =>
  Buffer.from(text.slice('sha256:'.length), 'hex');
