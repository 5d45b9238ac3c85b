/** Move types as texts. */
import { isValidStructTag, normalizeStructTag } from '@mysten/sui/utils';

/** The type in normal form, where it has one; as it stands otherwise. */
export const normalType = (type: string): string =>
  isValidStructTag(type) ? normalizeStructTag(type) : type;

/** The type of the objects that hold this coin, in normal form. */
export const coinObjectType = (coinType: string): string =>
  normalizeStructTag(`0x2::coin::Coin<${coinType}>`);
