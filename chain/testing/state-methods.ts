/** The test ledger's objects over gRPC: the database, and tables as pages of dynamic fields. */
import { type BcsType, bcs } from '@mysten/sui/bcs';
import { GrpcTypes } from '@mysten/sui/grpc';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { createFieldIds } from '../bcs/dynamic-fields.ts';
import { nodeId, stackId, taskId } from '../bcs/fields.ts';
import { atomaDatabase, nodeEntry, nodePrice, stackEntry, task } from '../bcs/objects.ts';
import type { Faults } from './full-node.ts';
import { databaseId, definingPackage, type TestLedger, tables } from './ledger.ts';
import { refuse } from './server.ts';

const { DynamicField_DynamicFieldKind: FieldKind, Owner_OwnerKind: OwnerKind } = GrpcTypes;
const nameTypes = {
  node: `${definingPackage}::db::NodeSmallId`,
  task: `${definingPackage}::db::TaskSmallId`,
  stack: `${definingPackage}::db::StackSmallId`,
};
const wrapped = (type: string) => `0x2::dynamic_object_field::Wrapper<${type}>`;

type Entry = { readonly name: Uint8Array; readonly value: Uint8Array; readonly childId?: string };
type TableView = {
  readonly id: SuiAddress;
  readonly nameType: string;
  readonly entries: () => Entry[];
};

export function createStateMethods(ledger: TestLedger, faults: Faults) {
  return {
    async getObject(request: GrpcTypes.GetObjectRequest): Promise<GrpcTypes.GetObjectResponse> {
      if (faults.fails('call')) refuse('UNAVAILABLE');
      if (request.objectId !== databaseId) refuse('NOT_FOUND');
      const asked = request.readMask?.paths ?? [];
      const contents = atomaDatabase.serialize(databaseOf(ledger)).toBytes();
      return {
        object: {
          objectId: databaseId,
          ...(asked.includes('object_type') && { objectType: `${definingPackage}::db::AtomaDb` }),
          ...(asked.includes('owner') && { owner: { kind: OwnerKind.SHARED, version: 5n } }),
          ...(asked.includes('contents') && { contents: { value: contents } }),
        },
      };
    },

    async listDynamicFields(
      request: GrpcTypes.ListDynamicFieldsRequest,
    ): Promise<GrpcTypes.ListDynamicFieldsResponse> {
      if (faults.fails('call')) refuse('UNAVAILABLE');
      const view = tablesOf(ledger).find(({ id }) => id === request.parent);
      if (!view) return { dynamicFields: [] };
      const size = Math.min(request.pageSize ?? 50, faults.rowsPerPage);
      const asked = request.readMask?.paths ?? [];
      // A page goes on after a key, so that rows which come and go between two pages hide no other.
      const keyOf = ({ name }: Entry) => Buffer.from(name).toString('hex');
      const after = Buffer.from(request.pageToken ?? []).toString();
      const left = view
        .entries()
        .filter((entry) => keyOf(entry) > after)
        .sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
      const page = left.slice(0, size);
      const last = page.at(-1);
      return {
        dynamicFields: page.map((entry) => fieldOf({ view, entry, asked })),
        ...(last &&
          left.length > size && { nextPageToken: new Uint8Array(Buffer.from(keyOf(last))) }),
      };
    },
  };
}

function fieldOf(options: {
  view: TableView;
  entry: Entry;
  asked: readonly string[];
}): GrpcTypes.DynamicField {
  const { view, entry, asked } = options;
  const { childId } = entry;
  const nameType = childId === undefined ? view.nameType : wrapped(view.nameType);
  const fieldIdOf = createFieldIds({ tableId: view.id, nameType });
  const kind = childId === undefined ? FieldKind.FIELD : FieldKind.OBJECT;
  const isObject = childId !== undefined && asked.includes('child_object.contents');
  return {
    ...(asked.includes('kind') && { kind }),
    ...(asked.includes('field_id') && { fieldId: fieldIdOf(entry.name) }),
    ...(asked.includes('name') && { name: { name: view.nameType, value: entry.name } }),
    ...(asked.includes('value') && { value: { value: entry.value } }),
    ...(childId !== undefined && asked.includes('child_id') && { childId }),
    ...(isObject && { childObject: { contents: { value: entry.value } } }),
  };
}

function tablesOf(ledger: TestLedger): TableView[] {
  const plain = <Id, Value>(
    rows: Iterable<readonly [Id, Value]>,
    codecs: { id: BcsType<Id, Id>; value: BcsType<Value, Value> },
  ) =>
    [...rows].map(([id, value]) => ({
      name: codecs.id.serialize(id).toBytes(),
      value: codecs.value.serialize(value).toBytes(),
    }));
  const { node, task: taskType, stack } = nameTypes;
  return [
    {
      id: tables.nodes,
      nameType: node,
      entries: () => plain(ledger.nodes, { id: nodeId, value: nodeEntry }),
    },
    {
      id: tables.stacks,
      nameType: stack,
      entries: () => plain(ledger.stacks, { id: stackId, value: stackEntry }),
    },
    {
      id: tables.tasks,
      nameType: taskType,
      entries: () =>
        [...ledger.tasks].map(([id, { task: value }]) => ({
          name: taskId.serialize(id).toBytes(),
          value: task.serialize(value).toBytes(),
          childId: value.objectId,
        })),
    },
    {
      id: tables.tickets,
      nameType: stack,
      entries: () =>
        [...ledger.tickets].map((id) => ({
          name: stackId.serialize(id).toBytes(),
          value: bcs.u8().serialize(0).toBytes(),
          childId: databaseId,
        })),
    },
    ...[...ledger.tasks.values()].map((state) => ({
      id: state.task.subscriptions.id,
      nameType: node,
      entries: () => plain(state.prices, { id: nodeId, value: nodePrice }),
    })),
  ];
}

function databaseOf(ledger: TestLedger) {
  const table = (id: SuiAddress, size: number) => ({ id, size: BigInt(size) });
  return {
    id: databaseId,
    ticketsId: tables.tickets,
    nextNodeId: ledger.next.node,
    nextTaskId: ledger.next.task,
    nextStackId: ledger.next.stack,
    nodes: table(tables.nodes, ledger.nodes.size),
    models: table(tables.models, 0),
    tasks: table(tables.tasks, ledger.tasks.size),
    stacks: table(tables.stacks, ledger.stacks.size),
    settlementTickets: table(tables.tickets, ledger.tickets.size),
    feeTreasury: 0n,
    communalTreasury: 0n,
    validationProbabilityPermille: 10n,
    validationExtraNodes: 1n,
    samplingChargePermille: 1200n,
    extraNodesChargePermille: 12n,
    rotation: ledger.rotation.rotation,
    nonce: ledger.rotation.nonce,
    registrationDisabled: false,
    registrationCollateral: 0n,
    timeoutSlashPermille: 100n,
    disputeOraclePermille: 100n,
    disputeHonestNodesPermille: 200n,
  };
}
