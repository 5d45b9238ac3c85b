/** BCS that has one reading only: what would not be written back byte for byte is refused. */
import type { BcsType } from '@mysten/sui/bcs';

/** Decodes the whole of `bytes`; throws where something is missing, left over, or written in another than the one way. */
export function decodeExact<Output extends Input, Input>(
  type: BcsType<Output, Input>,
  bytes: Uint8Array,
): Output {
  const value = type.parse(bytes);
  // The reader ignores what follows the value, and takes any nonzero byte as true.
  const canonical = type.serialize(value).toBytes();
  if (Buffer.compare(canonical, bytes) !== 0) {
    throw new RangeError(`${type.name}: ${bytes.length} bytes are not its canonical form`);
  }
  return value;
}
