/** A short text that is equal for equal content: versions of catalogues and prices, and "has it changed?". */
import { createHash } from 'node:crypto';

/** SHA-256 over the JSON form, in which integers beyond JSON stand as text; 16 hex digits. */
export function fingerprintOf(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? String(part) : part,
  );
  return createHash('sha256').update(json).digest('hex').slice(0, 16);
}
