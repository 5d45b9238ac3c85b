/** The contract's state at one full node: its database object, and the rows of its tables page by page. */
import type { BcsType } from '@mysten/sui/bcs';
import { GrpcTypes } from '@mysten/sui/grpc';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { ChainTable } from '../../domain/chain-object.ts';
import { createFieldIds } from '../bcs/dynamic-fields.ts';
import { decodeExact } from '../bcs/exact.ts';
import { nodeId, stackId, taskId } from '../bcs/fields.ts';
import { atomaDatabase, nodeEntry, nodePrice, stackEntry, task } from '../bcs/objects.ts';
import { type FullNode, FullNodeError, type Row } from '../full-node.ts';
import type { Connection } from './connection.ts';
import { expectAddress, expectDecoded, expectSet } from './expect.ts';
import { pagesOf } from './pages.ts';

type StateReader = Pick<
  FullNode,
  'database' | 'nodes' | 'tasks' | 'subscriptions' | 'stacks' | 'settlingStacks'
>;

const pageRowsMax = 1000;
const objectMask = ['object_id', 'object_type', 'owner', 'contents'];
const rowMask = ['field_id', 'name', 'kind', 'value'];
const objectRowMask = ['field_id', 'name', 'kind', 'child_id', 'child_object.contents'];
const nameMask = ['field_id', 'name', 'kind'];
const { DynamicField_DynamicFieldKind: FieldKind, Owner_OwnerKind: OwnerKind } = GrpcTypes;

/** The part of the port that reads objects. `definingPackage` defines the types of the contract's ids. */
export function createStateReader(options: {
  connection: Connection;
  databaseId: SuiAddress;
  definingPackage: SuiAddress;
}): StateReader {
  const { connection, databaseId } = options;
  const nameTypes = {
    node: `${options.definingPackage}::db::NodeSmallId`,
    task: `${options.definingPackage}::db::TaskSmallId`,
    stack: `${options.definingPackage}::db::StackSmallId`,
  };
  const pages = (table: ChainTable, paths: string[], signal: AbortSignal) =>
    readPages({ connection, parent: table.id, paths, signal });
  const rows = <Id, Value>(shape: RowShape<Id, Value>) =>
    async function* readRows(
      table: ChainTable,
      signal: AbortSignal,
    ): AsyncGenerator<readonly Row<Id, Value>[]> {
      const reader = createRowReader({ table, shape });
      for await (const page of pages(table, rowMask, signal)) yield page.map(reader);
    };

  return {
    async database(signal) {
      const { object } = await connection.call(signal, (call) =>
        connection.client.ledgerService.getObject(
          { objectId: databaseId, readMask: { paths: objectMask } },
          call,
        ),
      );
      return databaseFrom(expectSet(object, 'object'), databaseId);
    },

    nodes: rows({ nameType: nameTypes.node, name: nodeId, value: nodeEntry }),
    subscriptions: rows({ nameType: nameTypes.node, name: nodeId, value: nodePrice }),
    stacks: rows({ nameType: nameTypes.stack, name: stackId, value: stackEntry }),

    async *tasks(table, signal) {
      const nameOf = createNameReader({ table, nameType: wrapped(nameTypes.task), name: taskId });
      for await (const page of pages(table, objectRowMask, signal)) {
        yield page.map((field) => {
          assertKind(field, FieldKind.OBJECT);
          const contents = expectSet(field.childObject?.contents?.value, 'child_object.contents');
          const value = expectDecoded('Task', () => decodeExact(task, contents));
          if (value.objectId !== expectAddress(field.childId, 'child_id')) {
            throw new FullNodeError('protocol', `${field.childId} is not the task's own id`);
          }
          return { id: nameOf(field), value };
        });
      }
    },

    async *settlingStacks(table, signal) {
      const nameType = wrapped(nameTypes.stack);
      const nameOf = createNameReader({ table, nameType, name: stackId });
      for await (const page of pages(table, nameMask, signal)) yield page.map(nameOf);
    },
  };
}

const wrapped = (nameType: string) => `0x2::dynamic_object_field::Wrapper<${nameType}>`;

function databaseFrom(object: GrpcTypes.Object, databaseId: SuiAddress) {
  const contents = expectSet(object.contents?.value, 'contents');
  const database = expectDecoded('AtomaDb', () => decodeExact(atomaDatabase, contents));
  if (database.id !== databaseId) {
    throw new FullNodeError('protocol', `asked for ${databaseId}, got ${database.id}`);
  }
  const owner = expectSet(object.owner, 'owner');
  return {
    type: expectSet(object.objectType, 'object_type'),
    initialSharedVersion: owner.kind === OwnerKind.SHARED ? owner.version : undefined,
    database,
  };
}

async function* readPages(options: {
  connection: Connection;
  parent: SuiAddress;
  paths: string[];
  signal: AbortSignal;
}): AsyncGenerator<readonly GrpcTypes.DynamicField[]> {
  const { connection, parent, paths, signal } = options;
  const first = { parent, pageSize: pageRowsMax, readMask: { paths } };
  const pages = pagesOf((next) =>
    connection.call(signal, (call) =>
      connection.client.stateService.listDynamicFields({ ...first, ...next }, call),
    ),
  );
  for await (const page of pages) yield page.dynamicFields;
}

type NameShape<Id> = { readonly nameType: string; readonly name: BcsType<Id, Id> };
type RowShape<Id, Value> = NameShape<Id> & { readonly value: BcsType<Value, Value> };

/** Reads a row's name, and checks by the field's id that the row is of this table and its name of this type. */
function createNameReader<Id>({ table, nameType, name }: NameShape<Id> & { table: ChainTable }) {
  const fieldIdOf = createFieldIds({ tableId: table.id, nameType });
  return (field: GrpcTypes.DynamicField): Id => {
    const bytes = expectSet(field.name?.value, 'name');
    if (expectAddress(field.fieldId, 'field_id') !== fieldIdOf(bytes)) {
      throw new FullNodeError('protocol', `${field.fieldId} is not a field of ${table.id}`);
    }
    return expectDecoded(name.name, () => decodeExact(name, bytes));
  };
}

function createRowReader<Id, Value>(options: { table: ChainTable; shape: RowShape<Id, Value> }) {
  const { table, shape } = options;
  const nameOf = createNameReader({ table, ...shape });
  return (field: GrpcTypes.DynamicField): Row<Id, Value> => {
    assertKind(field, FieldKind.FIELD);
    const bytes = expectSet(field.value?.value, 'value');
    return {
      id: nameOf(field),
      value: expectDecoded(shape.value.name, () => decodeExact(shape.value, bytes)),
    };
  };
}

function assertKind(
  field: GrpcTypes.DynamicField,
  kind: GrpcTypes.DynamicField_DynamicFieldKind,
): void {
  if (field.kind !== kind) {
    throw new FullNodeError('protocol', `a field is of kind ${field.kind}, not ${kind}`);
  }
}
