/** Rows of Move tables: dynamic fields and dynamic object fields, under the ids that Sui derives for them. */
import { bcs, TypeTagSerializer } from '@mysten/sui/bcs';
import { deriveDynamicFieldID, normalizeStructTag } from '@mysten/sui/utils';
import type { Draft } from './draft.ts';
import type { DraftObject } from './objects.ts';

const idBytes = 32;
const fieldPrefix = normalizeStructTag('0x2::dynamic_field::Field<u8>').replace('<u8>', '<');
const wrapperPrefix = normalizeStructTag('0x2::dynamic_object_field::Wrapper<u8>').replace(
  '<u8>',
  '<',
);
const idType = normalizeStructTag('0x2::object::ID');

/** The name of a row: its Move type and its BCS. */
export type FieldName = { readonly type: string; readonly bytes: Uint8Array };

export type FieldPlace = { readonly parent: string; readonly name: FieldName };

const fieldId = ({ parent, name }: FieldPlace) =>
  deriveDynamicFieldID(parent, name.type, name.bytes);

/** The BCS of the row's value; nothing where there is no row. */
export function readField(draft: Draft, place: FieldPlace): Uint8Array | undefined {
  const object = draft.read(fieldId(place));
  return object?.contents.slice(idBytes + place.name.bytes.length);
}

/** Makes or replaces a row; returns the id of its field. */
export function writeField(
  draft: Draft,
  place: FieldPlace,
  value: { readonly type: string; readonly bytes: Uint8Array },
): string {
  const { parent, name } = place;
  const id = fieldId(place);
  draft.write({
    id,
    owner: { kind: 'object', id: parent },
    type: `${fieldPrefix}${name.type},${value.type}>`,
    contents: Buffer.concat([bcs.Address.serialize(id).toBytes(), name.bytes, value.bytes]),
    hasPublicTransfer: false,
  });
  return id;
}

export function removeField(draft: Draft, place: FieldPlace): void {
  draft.remove(fieldId(place));
}

const wrapped = ({ parent, name }: FieldPlace): FieldPlace => ({
  parent,
  name: { type: `${wrapperPrefix}${name.type}>`, bytes: name.bytes },
});

/** Puts an object into an object table; the field, not the table, owns the object. */
export function writeObjectField(
  draft: Draft,
  place: FieldPlace,
  child: Omit<DraftObject, 'owner'>,
): void {
  const value = { type: idType, bytes: bcs.Address.serialize(child.id).toBytes() };
  const id = writeField(draft, wrapped(place), value);
  draft.write({ ...child, owner: { kind: 'object', id } });
}

/** The id of the object in a row of an object table. */
export function readObjectField(draft: Draft, place: FieldPlace): string | undefined {
  const value = readField(draft, wrapped(place));
  return value && bcs.Address.parse(value);
}

type ParsedField = {
  readonly name: FieldName;
  readonly value: { readonly type: string; readonly bytes: Uint8Array };
  /** Set for a dynamic object field. */
  readonly childId: string | undefined;
};

/** Whether the object is a row, and not the child that a row of an object table points to. */
export const isField = ({ type }: DraftObject): boolean => type.startsWith(fieldPrefix);

/** Takes a row apart. */
export function parseField(object: DraftObject): ParsedField {
  const [nameType = '', valueType = ''] = splitPair(object.type.slice(fieldPrefix.length, -1));
  const body = object.contents.slice(idBytes);
  if (!nameType.startsWith(wrapperPrefix)) {
    const length = nameLength(nameType, body);
    const name = { type: nameType, bytes: body.slice(0, length) };
    return { name, value: { type: valueType, bytes: body.slice(length) }, childId: undefined };
  }
  const split = body.length - idBytes;
  const name = { type: nameType.slice(wrapperPrefix.length, -1), bytes: body.slice(0, split) };
  const bytes = body.slice(split);
  return { name, value: { type: valueType, bytes }, childId: bcs.Address.parse(bytes) };
}

function splitPair(text: string): readonly [string, string] {
  let depth = 0;
  for (const [index, letter] of [...text].entries()) {
    if (letter === '<') depth += 1;
    if (letter === '>') depth -= 1;
    if (letter === ',' && depth === 0) return [text.slice(0, index), text.slice(index + 1)];
  }
  throw new Error(`expected two types in ${text}`);
}

const smallIdBytes = 8;

function nameLength(type: string, body: Uint8Array): number {
  const tag = TypeTagSerializer.parseFromStr(type);
  // Every key of this ledger is a u64 or a struct around one, save for the addresses of foreign tables.
  if ('address' in tag) return idBytes;
  return Math.min(smallIdBytes, body.length);
}
