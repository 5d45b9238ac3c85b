/** What a validator checks before it executes: a refused transaction leaves no trace and costs nothing. */
import { normalizeSuiAddress } from '@mysten/sui/utils';
import { moveFunctions, takesRandom } from './atoma-module.ts';
import { randomId } from './commands.ts';
import { balanceOf, coinOf, type LedgerObject, objectDigest, suiType } from './objects.ts';
import type { ParsedTransaction, TransactionCommand } from './transaction-data.ts';

export type Rejection = {
  readonly kind: 'rejected';
  readonly code: 'INVALID_ARGUMENT' | 'FAILED_PRECONDITION' | 'UNIMPLEMENTED';
  readonly message: string;
};

export type CheckWorld = {
  readonly objectAt: (id: string) => LedgerObject | undefined;
  readonly isPackage: (id: string) => boolean;
  readonly epoch: bigint;
  readonly referenceGasPrice: bigint;
  readonly chainId: string;
};

type Reference = { readonly objectId: string; readonly version: string; readonly digest: string };
type Check = (transaction: ParsedTransaction, world: CheckWorld) => Rejection | undefined;

const budgetMax = 50_000_000_000n;
const budgetUnitsMin = 1000n;
const followersOfRandom = new Set<TransactionCommand['$kind']>(['MergeCoins', 'TransferObjects']);
const modelledCommands = new Set<TransactionCommand['$kind']>([
  'SplitCoins',
  'MergeCoins',
  'TransferObjects',
  'MoveCall',
]);

/** The first reason not to execute; nothing where there is none. */
export function rejectionOf(
  transaction: ParsedTransaction,
  world: CheckWorld,
): Rejection | undefined {
  const checks: readonly Check[] = [
    checkCommands,
    checkRandom,
    checkExpiration,
    checkGasPrice,
    checkInputs,
    checkGasCoins,
  ];
  for (const check of checks) {
    const rejection = check(transaction, world);
    if (rejection) return rejection;
  }
  return undefined;
}

/** The owned objects, gas included, whose versions this transaction uses up. */
export function ownedReferences(
  transaction: ParsedTransaction,
  objectAt: CheckWorld['objectAt'],
): readonly Reference[] {
  const inputs = transaction.inputs.flatMap(({ Object: object }) => object?.ImmOrOwnedObject ?? []);
  return [...inputs, ...transaction.gas.payment].filter(
    ({ objectId }) => objectAt(objectId)?.owner.kind === 'address',
  );
}

export const reject = (
  message: string,
  code: Rejection['code'] = 'INVALID_ARGUMENT',
): Rejection => ({ kind: 'rejected', code, message });

const checkCommands: Check = ({ commands, inputs }, { isPackage }) => {
  if (commands.length === 0) return reject('EmptyCommandInput');
  const odd = commands.find(({ $kind }) => !modelledCommands.has($kind));
  if (odd) return reject(`command ${odd.$kind} is not modelled`, 'UNIMPLEMENTED');
  const isUnmodelled = inputs.some((input) => input.FundsWithdrawal || input.Object?.Receiving);
  if (isUnmodelled) return reject('the input kind is not modelled', 'UNIMPLEMENTED');
  const missing = commands.find(({ MoveCall: call }) => call && !isPackage(call.package));
  if (missing) return reject(`DependentPackageNotFound: ${missing.MoveCall?.package}`);
  return undefined;
};

const checkRandom: Check = ({ commands }) => {
  const at = commands.findIndex(({ MoveCall: call }) => {
    const called = call && moveFunctions.get(call.function);
    return called !== undefined && takesRandom(called);
  });
  if (at < 0) return undefined;
  const isFollowed = commands.slice(at + 1).some(({ $kind }) => !followersOfRandom.has($kind));
  return isFollowed ? reject('PostRandomCommandRestrictions') : undefined;
};

const checkExpiration: Check = ({ expiration }, { epoch, chainId }) => {
  if (expiration.Epoch !== undefined && BigInt(expiration.Epoch) < epoch) {
    return reject('TransactionExpired');
  }
  const during = expiration.ValidDuring ?? expiration.Validity;
  if (!during) return undefined;
  if (during.chain !== chainId) return reject('InvalidChainId');
  const isTooEarly = during.minEpoch !== null && epoch < BigInt(during.minEpoch);
  const isTooLate = during.maxEpoch !== null && epoch > BigInt(during.maxEpoch);
  return isTooEarly || isTooLate ? reject('TransactionExpired') : undefined;
};

const checkGasPrice: Check = ({ gas }, { referenceGasPrice }) => {
  const price = BigInt(gas.price);
  const budget = BigInt(gas.budget);
  if (price < referenceGasPrice) {
    return reject(`GasPriceUnderRGP: gas price ${price} is below ${referenceGasPrice}`);
  }
  if (budget > budgetMax) return reject(`GasBudgetTooHigh: ${budget} is above ${budgetMax}`);
  const least = budgetUnitsMin * price;
  return budget < least ? reject(`GasBudgetTooLow: ${budget} is below ${least}`) : undefined;
};

const checkInputs: Check = ({ inputs, sender }, world) => {
  const ids = inputs.flatMap(({ Object: object }) => {
    const id = object?.ImmOrOwnedObject?.objectId ?? object?.SharedObject?.objectId;
    return id === undefined ? [] : [id];
  });
  if (new Set(ids).size < ids.length) return reject('DuplicateObjectRefInput');
  for (const { Object: object } of inputs) {
    const owned = object?.ImmOrOwnedObject;
    const shared = object?.SharedObject;
    const rejection =
      (owned && checkOwned(owned, sender, world)) || (shared && checkShared(shared, world));
    if (rejection) return rejection;
  }
  return undefined;
};

function checkOwned(
  reference: Reference,
  owner: string,
  { objectAt }: CheckWorld,
): Rejection | undefined {
  const { objectId, version, digest } = reference;
  const object = objectAt(objectId);
  if (!object) return reject(`ObjectNotFound: ${objectId}`);
  if (object.version !== BigInt(version)) {
    return reject(
      `ObjectVersionUnavailableForConsumption: ${objectId} is at ${object.version}, not ${version}`,
    );
  }
  if (objectDigest(object) !== digest) return reject(`InvalidObjectDigest: ${objectId}`);
  if (object.owner.kind === 'immutable') return undefined;
  const isOwner = object.owner.kind === 'address' && object.owner.address === owner;
  return isOwner
    ? undefined
    : reject(`IncorrectUserSignature: ${objectId} is not owned by ${owner}`);
}

function checkShared(
  shared: { objectId: string; initialSharedVersion: string; mutable: boolean },
  { objectAt }: CheckWorld,
): Rejection | undefined {
  const { objectId, initialSharedVersion, mutable } = shared;
  const object = objectAt(objectId);
  if (!object) return reject(`ObjectNotFound: ${objectId}`);
  if (object.owner.kind !== 'shared') return reject(`NotSharedObjectError: ${objectId}`);
  if (object.owner.initialVersion !== BigInt(initialSharedVersion)) {
    return reject(`SharedObjectStartingVersionMismatch: ${objectId}`);
  }
  return mutable && objectId === randomId ? reject('ImmutableParameterExpectedError') : undefined;
}

const checkGasCoins: Check = ({ gas, inputs }, world) => {
  if (gas.payment.length === 0) {
    return reject('gas from an address balance is not modelled', 'UNIMPLEMENTED');
  }
  const owner = normalizeSuiAddress(gas.owner);
  const used = new Set(inputs.map(({ Object: object }) => object?.ImmOrOwnedObject?.objectId));
  let total = 0n;
  for (const reference of gas.payment) {
    const rejection = checkOwned(reference, owner, world);
    if (rejection) return rejection;
    const coin = world.objectAt(reference.objectId);
    if (!coin || coinOf(coin.type) !== suiType) return reject('InvalidGasObject');
    if (used.has(reference.objectId)) return reject('MutableObjectUsedMoreThanOnce');
    used.add(reference.objectId);
    total += balanceOf(coin);
  }
  const budget = BigInt(gas.budget);
  return total < budget ? reject(`GasBalanceTooLow: ${total} is below ${budget}`) : undefined;
};
