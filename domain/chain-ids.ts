/** Ids on the chain: addresses, and the small ids by which the contract counts nodes, tasks and stacks from 1. */
export type SuiAddress = string & { readonly __id: 'sui-address' };
export type NodeSmallId = bigint & { readonly __id: 'node' };
export type TaskSmallId = bigint & { readonly __id: 'task' };
export type StackSmallId = bigint & { readonly __id: 'stack' };

const addressPattern = /^0x[0-9a-f]{64}$/;
const u64Max = 2n ** 64n - 1n;

/** Reads the one full form of an address or object id: `0x` and 64 lower-case hex digits. */
export function parseSuiAddress(text: string): SuiAddress | undefined {
  return addressPattern.test(text) ? (text as SuiAddress) : undefined;
}

/** Tags a text that is known to be an address; anything else is a programming error. */
export function suiAddress(text: string): SuiAddress {
  const address = parseSuiAddress(text);
  if (address === undefined) throw new TypeError(`expected an address, got ${text}`);
  return address;
}

/** Tags a number as a node's small id. */
export const nodeSmallId = (id: bigint): NodeSmallId => u64(id) as NodeSmallId;

/** The name that a node of the contract has in the fleet. */
export const nodeNameOf = (nodeId: NodeSmallId | string): string => `sui-${nodeId}`;

/** The small id of a node of the contract; nothing for a node that somebody declared. */
export function smallIdIn(nodeName: string): bigint | undefined {
  const digits = /^sui-(\d{1,19})$/.exec(nodeName)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** Tags a number as a task's small id. */
export const taskSmallId = (id: bigint): TaskSmallId => u64(id) as TaskSmallId;

/** Tags a number as a stack's small id. */
export const stackSmallId = (id: bigint): StackSmallId => u64(id) as StackSmallId;

function u64(value: bigint): bigint {
  if (value < 0n || value > u64Max) throw new RangeError(`not an unsigned 64-bit number: ${value}`);
  return value;
}
