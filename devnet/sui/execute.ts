/** Executes a transaction that has passed its checks: runs it over a draft, charges gas, and fixes versions. */
import { type CommandWorld, type Outcome, runCommands } from './commands.ts';
import { createDraft, type Draft } from './draft.ts';
import type { BalanceChange, Executed, GasUsed, ObjectChange } from './executed.ts';
import {
  balanceOf,
  coinContents,
  coinOf,
  type DraftObject,
  type LedgerObject,
  noDigest,
  packageType,
} from './objects.ts';
import { byText } from './order.ts';
import type { ParsedTransaction } from './transaction-data.ts';

// A model of Sui's prices: one bucket of computation, and storage by the byte, nearly all of it refundable.
const computationUnits = 1000n;
const storagePricePerByte = 7600n;
const objectOverheadBytes = 100;
const refundPermille = 990n;

const freeOfCharge: GasUsed = {
  computationCost: 0n,
  storageCost: 0n,
  storageRebate: 0n,
  nonRefundableStorageFee: 0n,
};

export type ExecutionWorld = Omit<CommandWorld, 'draft'> & {
  readonly objectAt: (id: string) => LedgerObject | undefined;
};

/** Runs a signed transaction; a failure keeps nothing but the gas charge. */
export function execute(
  transaction: ParsedTransaction,
  options: { readonly world: ExecutionWorld; readonly signatures: readonly Uint8Array[] },
): Executed {
  const { world, signatures } = options;
  const attempt = openDraft(transaction, world);
  const outcome = runCommands(transaction, { ...world, draft: attempt });
  const first = outcome.kind === 'success' ? attempt : openDraft(transaction, world);
  const charged = charge(transaction, first);
  if (charged.isCovered) {
    return finish(transaction, {
      draft: first,
      outcome,
      gasUsed: charged.gasUsed,
      world,
      signatures,
    });
  }
  const draft = openDraft(transaction, world);
  const { gasUsed } = charge(transaction, draft);
  const failure = { kind: 'insufficient-gas' } as const;
  const broke: Outcome = { kind: 'failure', failure, command: undefined };
  return finish(transaction, { draft, outcome: broke, gasUsed, world, signatures });
}

/** Runs a change of the stand-in's own, free of gas and signatures. */
export function executeFree(
  transaction: ParsedTransaction,
  options: { readonly world: ExecutionWorld; readonly change: (draft: Draft) => void },
): Executed {
  const { world, change } = options;
  const draft = createDraft({ get: world.objectAt }, transaction.digest);
  change(draft);
  const outcome: Outcome = { kind: 'success' };
  return finish(transaction, { draft, outcome, gasUsed: freeOfCharge, world, signatures: [] });
}

/** A draft in which the gas coins are one, less the budget, and every mutable input is marked as written. */
function openDraft(transaction: ParsedTransaction, world: ExecutionWorld): Draft {
  const draft = createDraft({ get: world.objectAt }, transaction.digest);
  for (const id of mutableInputs(transaction, world)) draft.touch(id);
  const [first, ...rest] = transaction.gas.payment.map(({ objectId }) => draft.expect(objectId));
  if (!first) return draft;
  const total = [first, ...rest].reduce((sum, coin) => sum + balanceOf(coin), 0n);
  for (const { id } of rest) draft.remove(id);
  setBalance(draft, first.id, total - BigInt(transaction.gas.budget));
  return draft;
}

function mutableInputs(transaction: ParsedTransaction, world: ExecutionWorld): readonly string[] {
  return transaction.inputs.flatMap(({ Object: object }) => {
    if (object?.SharedObject)
      return object.SharedObject.mutable ? [object.SharedObject.objectId] : [];
    const id = object?.ImmOrOwnedObject?.objectId;
    const isOwned = id !== undefined && world.objectAt(id)?.owner.kind !== 'immutable';
    return isOwned ? [id] : [];
  });
}

/** Returns what is left of the budget to the gas coin. */
function charge(transaction: ParsedTransaction, draft: Draft) {
  const budget = BigInt(transaction.gas.budget);
  const gasUsed = priceOf(transaction, draft);
  const { computationCost, storageCost, storageRebate } = gasUsed;
  const cost = computationCost + storageCost - storageRebate;
  const isCovered = cost <= budget;
  const gasId = transaction.gas.payment[0]?.objectId;
  const coin = gasId === undefined ? undefined : draft.read(gasId);
  if (coin) setBalance(draft, coin.id, balanceOf(coin) + budget - (isCovered ? cost : budget));
  return { isCovered, gasUsed };
}

function priceOf(transaction: ParsedTransaction, draft: Draft): GasUsed {
  const changes = draft.changes();
  const storageCost = changes.reduce((sum, { after }) => sum + storageOf(after), 0n);
  const freed = changes.reduce((sum, { before }) => sum + (before?.storageRebate ?? 0n), 0n);
  const storageRebate = (freed * refundPermille) / 1000n;
  return {
    computationCost: computationUnits * BigInt(transaction.gas.price),
    storageCost,
    storageRebate,
    nonRefundableStorageFee: freed - storageRebate,
  };
}

const storageOf = (object: DraftObject | undefined): bigint =>
  object ? BigInt(object.contents.length + objectOverheadBytes) * storagePricePerByte : 0n;

function setBalance(draft: Draft, id: string, balance: bigint): void {
  draft.write({ ...draft.expect(id), contents: coinContents(id, balance) });
}

type Finished = {
  readonly draft: Draft;
  readonly outcome: Outcome;
  readonly gasUsed: GasUsed;
  readonly world: ExecutionWorld;
  readonly signatures: readonly Uint8Array[];
};

function finish(transaction: ParsedTransaction, finished: Finished): Executed {
  const { draft, outcome, gasUsed, world, signatures } = finished;
  const raw = draft.changes();
  const reads = sharedReads(transaction, world);
  const inputs = [...raw.flatMap(({ before }) => before ?? []), ...reads];
  // Lamport: above every version that went in.
  const lamportVersion =
    1n + inputs.reduce((top, { version }) => (version > top ? version : top), 0n);
  const changes = raw.map(({ id, before, after }): ObjectChange => {
    if (!after) return { id, before, after };
    return { id, before, after: sealObject(after, { lamportVersion, digest: transaction.digest }) };
  });
  const dependencies = [...new Set(inputs.map(({ previousTransaction }) => previousTransaction))];
  return {
    transaction,
    signatures,
    epoch: world.epoch,
    outcome,
    gasUsed,
    lamportVersion,
    changes,
    reads,
    events: draft.events(),
    balanceChanges: balanceChanges(changes),
    dependencies: dependencies.filter((digest) => digest !== noDigest).sort(byText),
  };
}

function sealObject(
  object: DraftObject,
  end: { readonly lamportVersion: bigint; readonly digest: string },
): LedgerObject {
  const { id, type, contents, hasPublicTransfer, owner } = object;
  const isNewlyShared = owner.kind === 'shared' && owner.initialVersion === 0n;
  return {
    id,
    type,
    contents,
    hasPublicTransfer,
    owner: isNewlyShared ? { kind: 'shared', initialVersion: end.lamportVersion } : owner,
    // A package has a version of its own, which is all that it holds here.
    version: type === packageType ? BigInt(contents[0] ?? 1) : end.lamportVersion,
    previousTransaction: end.digest,
    storageRebate: storageOf(object),
  };
}

function sharedReads(transaction: ParsedTransaction, world: ExecutionWorld): LedgerObject[] {
  return transaction.inputs.flatMap(({ Object: object }) => {
    const shared = object?.SharedObject;
    return shared && !shared.mutable ? (world.objectAt(shared.objectId) ?? []) : [];
  });
}

function balanceChanges(changes: readonly ObjectChange[]): readonly BalanceChange[] {
  const amounts = new Map<string, BalanceChange>();
  function add(coin: LedgerObject | undefined, sign: bigint): void {
    const coinType = coin && coinOf(coin.type);
    if (coinType === undefined || coin?.owner.kind !== 'address') return;
    const { address } = coin.owner;
    const key = `${address} ${coinType}`;
    const amount = (amounts.get(key)?.amount ?? 0n) + sign * balanceOf(coin);
    amounts.set(key, { address, coinType, amount });
  }
  for (const { before, after } of changes) {
    add(before, -1n);
    add(after, 1n);
  }
  return [...amounts.values()]
    .filter(({ amount }) => amount !== 0n)
    .sort((a, b) => byText(a.address, b.address) || byText(a.coinType, b.coinType));
}
