/** JSON of the indexer's rows and progress: integers beyond 2⁵³ as decimal strings, bytes as base64. */
import { z } from 'zod';
import { nodeSmallId, stackSmallId, taskSmallId } from '../../domain/chain-ids.ts';
import { address, bytes, idOf, integer, maybe } from '../json.ts';
import type { Progress, Rows, TableName } from './state.ts';

const text = z.string();
const number = z.number();

const nodeId = idOf(nodeSmallId);
const taskId = idOf(taskSmallId);
const stackId = idOf(stackSmallId);
const countedId = z.enum(['node', 'task', 'stack']);

type Schemas = { readonly [Table in TableName]: z.ZodType<Rows[Table], unknown> };

const rows = {
  nodes: z.object({ nodeId, badgeId: maybe(address) }),
  tasks: z.object({
    taskId,
    role: number,
    model: maybe(text),
    securityLevel: number,
    reputationMin: number,
    deprecatedAtEpoch: maybe(integer),
  }),
  subscriptions: z.object({ taskId, nodeId, pricePerMillion: integer, unitsMax: integer }),
  stacks: z.object({
    stackId,
    taskId,
    nodeId,
    units: integer,
    pricePerMillion: integer,
    standing: z.enum(['open', 'frozen', 'claimed']),
  }),
  keys: z.object({
    nodeId,
    source: z.enum(['event', 'stored']),
    publicKey: bytes,
    rotation: integer,
    epoch: integer,
  }),
  claims: z.object({
    stackId,
    nodeId,
    unitsClaimed: integer,
    refund: integer,
    transactionDigest: text,
    checkpoint: integer,
  }),
  rotation: z.object({ rotation: integer, nonce: integer }),
  evidence: z.object({ evidence: bytes }),
  alarms: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('poison'),
      type: text,
      contents: bytes,
      transactionDigest: text,
      checkpoint: integer,
      reason: text,
    }),
    z.object({ kind: z.literal('gap'), of: countedId, from: integer, to: integer }),
    z.object({ kind: z.literal('jump'), from: integer, to: integer }),
    z.object({ kind: z.literal('upgrade'), packageId: address, version: integer }),
  ]),
} satisfies Schemas;

const position = z.object({ checkpoint: integer, transaction: integer, event: number });
const progress = z.object({
  covered: integer,
  position: maybe(position),
  cursor: maybe(z.object({ provider: text, bytes })),
  next: z.object({ node: integer, task: integer, stack: integer }),
  status: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('following') }),
    z.object({ kind: z.literal('pruned'), start: integer, lowest: integer }),
    z.object({ kind: z.literal('halted'), reason: text }),
  ]),
});

/** The JSON of a row. */
export function rowToJson(table: TableName, row: Rows[TableName]): string {
  return JSON.stringify(z.encode(schemaOf(table), row));
}

/** Throws where the JSON is not a row of that table. */
export function rowFromJson<Table extends TableName>(table: Table, json: string): Rows[Table] {
  const schemas: Schemas = rows;
  return schemas[table].parse(JSON.parse(json));
}

const schemaOf = (table: TableName): z.ZodType<unknown, unknown> => rows[table];

/** The JSON of how far the ledger has been read. */
export const progressToJson = (value: Progress): string =>
  JSON.stringify(z.encode(progress, value));

/** Throws where the JSON is another thing. */
export const progressFromJson = (json: string): Progress => progress.parse(JSON.parse(json));
