/** Transactions as callers sign them: strict BCS in, a digest and the parts that are executed out. */
import { bcs } from '@mysten/sui/bcs';
import { digestOf } from './digest.ts';
import { parseExact } from './move-context.ts';

type DataV1 = typeof bcs.TransactionData.$inferType.V1;
type Program = typeof bcs.ProgrammableTransaction.$inferType;
export type TransactionInput = Program['inputs'][number];
export type TransactionCommand = Program['commands'][number];
export type TransactionArgument = typeof bcs.Argument.$inferType;

export type ParsedTransaction = {
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly sender: string;
  readonly gas: DataV1['gasData'];
  readonly expiration: DataV1['expiration'];
  readonly inputs: readonly TransactionInput[];
  readonly commands: readonly TransactionCommand[];
};

export type TransactionDraft = {
  readonly sender: string;
  readonly gas: (typeof bcs.GasData)['$inferInput'];
  readonly expiration: (typeof bcs.TransactionExpiration)['$inferInput'];
  readonly inputs: readonly (typeof bcs.CallArg)['$inferInput'][];
  readonly commands: readonly (typeof bcs.Command)['$inferInput'][];
};

/** Reads TransactionData; nothing where the bytes are not exactly one programmable transaction. */
export function parseTransaction(bytes: Uint8Array): ParsedTransaction | undefined {
  const data = parseExact(bcs.TransactionData, bytes)?.V1;
  const program = data?.kind.ProgrammableTransaction;
  if (!data || !program) return undefined;
  const { sender, gasData: gas, expiration } = data;
  return { digest: digestOf('TransactionData', bytes), bytes, sender, gas, expiration, ...program };
}

/** Serialises what is not yet bytes. */
export function toTransaction(draft: TransactionDraft): ParsedTransaction {
  const { sender, gas: gasData, expiration, inputs, commands } = draft;
  const kind = { ProgrammableTransaction: { inputs, commands } };
  const bytes = bcs.TransactionData.serialize({
    V1: { kind, sender, gasData, expiration },
  }).toBytes();
  const parsed = parseTransaction(bytes);
  if (!parsed) throw new Error('a serialised transaction does not parse');
  return parsed;
}

/** A transaction of the stand-in itself: it pays no gas, and a counter makes its digest its own. */
export function systemTransaction(sender: string, counter: bigint): ParsedTransaction {
  return toTransaction({
    sender,
    gas: { payment: [], owner: sender, price: 0, budget: 0 },
    expiration: { None: true },
    inputs: [{ Pure: { bytes: bcs.u64().serialize(counter).toBytes() } }],
    commands: [],
  });
}
