/** JSON of the keeper's operations. */
import { z } from 'zod';
import { nodeSmallId, stackSmallId, taskSmallId } from '../../domain/chain-ids.ts';
import { microUsdc as payableUsdc } from '../../domain/deposit.ts';
import { microUsdc } from '../costs.ts';
import { address, bytes, idOf, integer, maybe } from '../json.ts';
import type { EndedOperation, Operation } from './operation.ts';

const text = z.string();
const timeMs = z.number();
const amount = idOf(microUsdc);

const order = z.object({
  taskId: idOf(taskSmallId),
  units: integer,
  pricePerMillion: integer,
  cost: amount,
});
const sent = z.object({
  digest: text,
  bytes,
  signatures: z.array(text),
  inputs: z.array(z.object({ objectId: address, version: integer, digest: text })),
  lastEpoch: integer,
  builtAtHeight: integer,
});
const failure = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('abort'), module: text, code: integer }),
  z.object({ kind: z.literal('failure'), description: text }),
  z.object({ kind: z.literal('not-landed') }),
]);

const withdrawal = z.object({
  reference: text,
  accountId: text,
  recipient: address,
  amount: idOf(payableUsdc),
});

const begun = { id: text, startedMs: timeMs };
const ordered = { ...begun, order };
const operation: z.ZodType<Operation, unknown> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('funding'), ...ordered, sent }),
  z.object({ kind: z.literal('buying'), ...ordered, coinId: address, sent }),
  z.object({ kind: z.literal('returning'), ...ordered, coinId: address, failure, sent }),
  z.object({ kind: z.literal('collecting'), ...begun, sent }),
  z.object({ kind: z.literal('withdrawing'), ...begun, withdrawal, sent }),
]);

const end = { endedMs: timeMs };
const ended: z.ZodType<EndedOperation, unknown> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('bought'),
    ...ordered,
    ...end,
    stackId: idOf(stackSmallId),
    nodeId: idOf(nodeSmallId),
    digest: text,
    paid: amount,
  }),
  z.object({ kind: z.literal('failed'), ...ordered, ...end, failure, missing: amount }),
  z.object({ kind: z.literal('collected'), ...begun, ...end, amount }),
  z.object({ kind: z.literal('not-collected'), ...begun, ...end, failure }),
  z.object({ kind: z.literal('paid'), ...begun, ...end, withdrawal, digest: text }),
  z.object({ kind: z.literal('not-paid'), ...begun, ...end, withdrawal, failure }),
]);

const current = maybe(operation);

/** The JSON of what is under way. */
export const operationToJson = (value: Operation | undefined): string =>
  JSON.stringify(z.encode(current, value));

/** Throws where the JSON is another thing. */
export const operationFromJson = (json: string): Operation | undefined =>
  current.parse(JSON.parse(json));

/** The JSON of what has ended. */
export const endedToJson = (value: EndedOperation): string =>
  JSON.stringify(z.encode(ended, value));

/** Throws where the JSON is another thing. */
export const endedFromJson = (json: string): EndedOperation => ended.parse(JSON.parse(json));
