/** Reads values of a protocol message that have to be there and in form: what is not is a broken promise of the node. */
import { parseSuiAddress, type SuiAddress } from '../../domain/chain-ids.ts';
import { FullNodeError } from '../full-node.ts';
import { normalType } from '../move-type.ts';

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

const amountPattern = /^-?\d{1,20}$/;

/** The signed amount of a coin; throws where the text is none. No coin has more than a u64 of it. */
export function expectAmount(text: string | undefined, name: string): bigint {
  const amount = expectSet(text, name);
  if (amountPattern.test(amount)) return BigInt(amount);
  throw new FullNodeError('protocol', `${name} is "${amount.slice(0, 50)}"`);
}

/** The type in normal form, where it has one; as it stands otherwise. */
export function expectType(text: string | undefined, name: string): string {
  return normalType(expectSet(text, name));
}

/** What a call finds; nothing where the node does not have it. */
export async function unlessMissing<Answer>(
  ask: () => Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (cause) {
    if (cause instanceof FullNodeError && cause.kind === 'not-found') return undefined;
    throw cause;
  }
}
