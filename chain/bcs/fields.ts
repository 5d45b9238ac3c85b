/** The field types of the Atoma contract as codecs to and from domain values. */
import { type BcsType, bcs } from '@mysten/sui/bcs';
import {
  type NodeSmallId,
  nodeSmallId,
  type StackSmallId,
  type SuiAddress,
  stackSmallId,
  suiAddress,
  type TaskSmallId,
  taskSmallId,
} from '../../domain/chain-ids.ts';

export const u64 = bcs.u64().transform({
  name: 'u64',
  input: (value: bigint) => value,
  output: (text) => BigInt(text),
});

/** An address, object id or UID: 32 raw bytes. */
export const address = bcs.Address.transform({
  name: 'address',
  input: (value: SuiAddress) => value,
  output: suiAddress,
});

export const bytes = bcs.byteVector().transform({
  name: 'bytes',
  input: (value: Uint8Array) => value,
  output: (value) => value,
});

/** `ascii::String`; the chain admits no other characters. */
export const ascii = bcs.string().transform({
  name: 'ascii',
  input: (text: string) => text,
  output(text) {
    if (!isAscii(text)) throw new RangeError('a text is not ASCII');
    return text;
  },
});

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}

// A struct with one field has the bytes of that field.
export const nodeId = u64.transform({
  name: 'NodeSmallId',
  input: (id: NodeSmallId) => id,
  output: nodeSmallId,
});
export const taskId = u64.transform({
  name: 'TaskSmallId',
  input: (id: TaskSmallId) => id,
  output: taskSmallId,
});
export const stackId = u64.transform({
  name: 'StackSmallId',
  input: (id: StackSmallId) => id,
  output: stackSmallId,
});

export const nodeIds = listOf(nodeId);

/** An `Option`: absent is undefined. */
export function optional<Value>(type: BcsType<Value, Value>) {
  return bcs.option(type).transform({
    name: `Option<${type.name}>`,
    input: (value: Value | undefined) => value ?? null,
    output: (value) => value ?? undefined,
  });
}

/** A `vector`. */
export function listOf<Value>(type: BcsType<Value, Value>) {
  return bcs.vector(type).transform({
    name: `vector<${type.name}>`,
    input: (values: readonly Value[]) => [...values],
    output: (values): readonly Value[] => values,
  });
}

/** `Table`, `ObjectTable` and `TableVec`, whose bytes are alike. */
export const table = bcs.struct('Table', { id: address, size: u64 });
