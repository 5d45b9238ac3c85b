/** The objects in which Sui keeps the rows of a table: `Field`, and for rows that are objects a `Wrapper` around the name. */
import { type BcsType, bcs, TypeTagSerializer } from '@mysten/sui/bcs';
import { deriveDynamicFieldID } from '@mysten/sui/utils';
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';
import { address } from './fields.ts';

/** A row of a `Table`. */
export function field<Name, Value>(row: {
  name: BcsType<Name, Name>;
  value: BcsType<Value, Value>;
}) {
  return bcs.struct('Field', { id: address, name: row.name, value: row.value });
}

/** A row of an `ObjectTable`: the value is the id of the object. */
export function objectField<Name>(name: BcsType<Name, Name>) {
  return bcs.struct('Field', {
    id: address,
    name: bcs.struct('Wrapper', { name }),
    value: address,
  });
}

/** Gives the id of the `Field` that holds a row, by the bytes of the row's name. */
export function createFieldIds({ tableId, nameType }: { tableId: SuiAddress; nameType: string }) {
  const tag = TypeTagSerializer.parseFromStr(nameType, true);
  return (name: Uint8Array): SuiAddress => suiAddress(deriveDynamicFieldID(tableId, tag, name));
}
