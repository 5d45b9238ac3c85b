/** Addresses and types as callers write them, made uniform; nonsense is refused. */
import {
  isValidSuiAddress,
  isValidTransactionDigest,
  normalizeStructTag,
  normalizeSuiAddress,
} from '@mysten/sui/utils';
import { statusError } from './serving.ts';

export function readAddress(value: string | undefined, field: string): string {
  if (value === undefined) throw statusError('INVALID_ARGUMENT', `missing ${field}`);
  const normal = normalizeSuiAddress(value);
  if (!isValidSuiAddress(normal)) {
    throw statusError('INVALID_ARGUMENT', `invalid ${field}: ${value}`);
  }
  return normal;
}

export function readDigest(value: string | undefined): string {
  if (value === undefined) throw statusError('INVALID_ARGUMENT', 'missing digest');
  if (!isValidTransactionDigest(value)) {
    throw statusError('INVALID_ARGUMENT', `invalid digest: ${value}`);
  }
  return value;
}

export function readType(value: string | undefined, field: string): string {
  if (value === undefined) throw statusError('INVALID_ARGUMENT', `missing ${field}`);
  try {
    return normalizeStructTag(value);
  } catch {
    throw statusError('INVALID_ARGUMENT', `invalid ${field}: ${value}`);
  }
}
