/** Reads optional fields of a protocol message that have to be there: a missing one is a broken promise of the node. */
import { parseSuiAddress, type SuiAddress } from '../../domain/chain-ids.ts';
import { FullNodeError } from '../full-node.ts';

/** The value; throws where it is not set. */
export function expectSet<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new FullNodeError('protocol', `${name} is not set`);
  return value;
}

/** The address; throws where it is missing or not in full form. */
export function expectAddress(text: string | undefined, name: string): SuiAddress {
  const address = parseSuiAddress(expectSet(text, name));
  if (address === undefined) throw new FullNodeError('protocol', `${name} is not an address`);
  return address;
}

/** What `decode` makes of the bytes; throws a protocol error where it refuses them. */
export function expectDecoded<Value>(name: string, decode: () => Value): Value {
  try {
    return decode();
  } catch (cause) {
    throw new FullNodeError('protocol', `${name} cannot be decoded`, { cause });
  }
}
