/** What the chain's indexer keeps, over Redis: one hash per table, and one script that changes all of it at once. */

import {
  progressFromJson,
  progressToJson,
  rowFromJson,
  rowToJson,
} from '../chain/indexer/codec.ts';
import {
  type Alarm,
  emptyState,
  type HeldTable,
  type Progress,
  type Rows,
  type TableName,
} from '../chain/indexer/state.ts';
import type { ChainStore } from '../chain/indexer/store.ts';
import type { SuiAddress } from '../domain/chain-ids.ts';
import { chainKeys, channels } from './keys.ts';
import { createLeaseStore } from './lease-store.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, listFrom, maybeTextFrom } from './reply.ts';
import { scripts } from './script.ts';

export type ChainRecords = ChainStore & {
  alarms(): Promise<readonly Alarm[]>;
  /** What the node committed its key with; nothing where no event told. */
  evidence(nodeId: string): Promise<Uint8Array | undefined>;
  /** Key, evidence and rotation as they stood at one moment; nothing where no such node is known. */
  committed(nodeId: string): Promise<NodeCommitment | undefined>;
  /** How far the ledger has been read, without the rows; nothing before the first commit. */
  progress(): Promise<Progress | undefined>;
  /** Called after each change of rows or registrations, and after each new connection; the returned function ends it. */
  onChange(listener: () => void): () => void;
  /** How things stand, as a control plane last found them; JSON, for operators. */
  saveReport(name: ReportName, json: string): Promise<void>;
  report(name: ReportName): Promise<string | undefined>;
};

export type NodeCommitment = {
  /** Nothing where the node never committed one. */
  readonly key: Rows['keys'] | undefined;
  readonly evidence: Uint8Array | undefined;
  /** Nothing where the network's rotation has not been read. */
  readonly rotation: Rows['rotation'] | undefined;
};

type ReportName = 'nodes' | 'treasury';

/** Held in memory by the indexer; the contract's objects tell all of these but claims. */
const objectTables = ['nodes', 'tasks', 'subscriptions', 'stacks', 'keys', 'rotation'] as const;
const tableNames = [...objectTables, 'claims', 'evidence', 'alarms'] as const;
const heldTables = [...objectTables, 'claims'] as const;

/** The records of one contract, by the id of its database. */
export function createChainStore({
  redis,
  databaseId,
}: {
  redis: Redis;
  databaseId: SuiAddress;
}): ChainRecords {
  const keys = chainKeys(databaseId);
  const { fence, progress: progressKey, tablePrefix } = keys;
  const keyOf = (table: TableName) => `${tablePrefix}${table}`;
  const readRows = async (table: TableName) =>
    fieldsFrom(await redis.send(keyOf(table), ['HGETALL', keyOf(table)]));

  return {
    ...createLeaseStore({ redis, keys }),

    async load() {
      const fields = await redis.send(progressKey, ['HMGET', progressKey, 'json', 'revision']);
      const [json, revision] = listFrom(fields).map(maybeTextFrom);
      if (json === undefined) return undefined;
      const state = emptyState();
      for (const table of heldTables) {
        loadRows({ state, table, stored: await readRows(table) });
      }
      return { progress: progressFromJson(json), state, revision: Number(revision) };
    },

    async commit({ token }, { revision, progress, changes, isReset }) {
      const emptied = isReset ? objectTables.map(placeOf) : [];
      const rows = changes.flatMap(({ table, id, row }) => [
        placeOf(table),
        id,
        row === undefined ? '' : rowToJson(table, row),
      ]);
      const reply = await scripts.chainCommit(redis, {
        keys: [fence, progressKey, ...tableNames.map(keyOf)],
        args: [
          token,
          String(revision),
          progressToJson(progress),
          String(emptied.length),
          ...emptied,
          ...rows,
        ],
      });
      if (reply === 'fenced' || reply === 'stale') return reply;
      if (changes.length > 0) await redis.send(undefined, ['PUBLISH', channels.chain, databaseId]);
      return 'committed';
    },

    async alarms() {
      return [...(await readRows('alarms')).values()].map((json) => rowFromJson('alarms', json));
    },

    async evidence(nodeId) {
      const key = keyOf('evidence');
      const json = maybeTextFrom(await redis.send(key, ['HGET', key, nodeId]));
      return json === undefined ? undefined : rowFromJson('evidence', json).evidence;
    },

    async committed(nodeId) {
      const tables = ['nodes', 'keys', 'evidence', 'rotation'] as const;
      const call = { keys: tables.map(keyOf), args: [nodeId] };
      const reply = listFrom(await scripts.chainCommitted(redis, call));
      const [node, key, evidence, rotation] = reply.map(maybeTextFrom);
      if (node === undefined) return undefined;
      return {
        key: key === undefined ? undefined : rowFromJson('keys', key),
        evidence: evidence === undefined ? undefined : rowFromJson('evidence', evidence).evidence,
        rotation: rotation === undefined ? undefined : rowFromJson('rotation', rotation),
      };
    },

    ...createTellers({ redis, databaseId }),
  };
}

/** What is read and told beside the rows. */
function createTellers(options: {
  redis: Redis;
  databaseId: SuiAddress;
}): Pick<ChainRecords, 'progress' | 'onChange' | 'saveReport' | 'report'> {
  const { redis, databaseId } = options;
  const { progress: progressKey, reportPrefix } = chainKeys(databaseId);
  const reportKey = (name: ReportName) => `${reportPrefix}${name}`;
  return {
    async progress() {
      const json = maybeTextFrom(await redis.send(progressKey, ['HGET', progressKey, 'json']));
      return json === undefined ? undefined : progressFromJson(json);
    },

    onChange: (listener) =>
      redis.subscriber.listen(channels.chain, (message) => {
        if (message === undefined || message === databaseId) listener();
      }),

    async saveReport(name, json) {
      await redis.send(reportKey(name), ['SET', reportKey(name), json]);
    },

    async report(name) {
      return maybeTextFrom(await redis.send(reportKey(name), ['GET', reportKey(name)]));
    },
  };
}

/** Where a table stands among the keys of the script, counted from 1. */
const placeOf = (table: TableName) => String(tableNames.indexOf(table) + 1);

function loadRows<Table extends HeldTable>(options: {
  state: { readonly [Name in Table]: Map<string, Rows[Name]> };
  table: Table;
  stored: ReadonlyMap<string, string>;
}): void {
  const { state, table, stored } = options;
  const rows: Map<string, Rows[Table]> = state[table];
  for (const [id, json] of stored) rows.set(id, rowFromJson(table, json));
}
