/** Simulation: runs a transaction on a copy of the state, and chooses gas for callers who leave that to the node. */
import { normalizeSuiAddress } from '@mysten/sui/utils';
import type { Chain } from './chain.ts';
import { execute } from './execute.ts';
import type { Executed } from './executed.ts';
import {
  balanceOf,
  coinContents,
  coinTypeOf,
  type LedgerObject,
  noDigest,
  objectDigest,
  suiType,
} from './objects.ts';
import { type Rejection, reject, rejectionOf } from './transaction-checks.ts';
import {
  type ParsedTransaction,
  type TransactionDraft,
  toTransaction,
} from './transaction-data.ts';

export type Simulation = {
  readonly draft: TransactionDraft;
  readonly isChecked: boolean;
  readonly selectsGas: boolean;
};

export type Simulated = {
  readonly kind: 'simulated';
  readonly executed: Executed;
  /** The transaction with everything resolved that the node was asked to resolve. */
  readonly resolved: ParsedTransaction;
};

const budgetMax = 50_000_000_000n;
const overheadUnits = 1000n;
const mockCoinId = normalizeSuiAddress(`0x${'fa'.repeat(32)}`);

/** Nothing of it stays in the ledger. */
export function simulate(chain: Chain, simulation: Simulation): Simulated | Rejection {
  const { isChecked, selectsGas } = simulation;
  const draft = withPrice(simulation.draft, chain.ledger.epoch().referenceGasPrice);
  if (!(isChecked && selectsGas)) return run(chain, draft, isChecked);
  const estimated = run(chain, withGas(draft, { payment: [], budget: budgetMax }), true);
  if (estimated.kind === 'rejected') return estimated;
  const budget = BigInt(draft.gas.budget) || budgetFor(estimated.executed);
  const given = draft.gas.payment.length > 0 ? [...draft.gas.payment] : undefined;
  const payment = given ?? selectCoins(chain, draft, budget);
  if (!payment) return reject('Unable to perform gas selection due to insufficient SUI balance');
  return run(chain, withGas(draft, { payment, budget }), true);
}

type Payment = TransactionDraft['gas']['payment'];

const withGas = (
  draft: TransactionDraft,
  gas: { readonly payment: Payment; readonly budget: bigint },
): TransactionDraft => ({ ...draft, gas: { ...draft.gas, ...gas } });

function withPrice(draft: TransactionDraft, referenceGasPrice: bigint): TransactionDraft {
  const price = BigInt(draft.gas.price) || referenceGasPrice;
  return { ...draft, gas: { ...draft.gas, price } };
}

/** Runs on the coins given, or on a coin that exists for the simulation only. */
function run(chain: Chain, draft: TransactionDraft, isChecked: boolean): Simulated | Rejection {
  const isMocked = draft.gas.payment.length === 0 || !isChecked;
  const resolved = toTransaction(draft);
  const mock = mockCoin(String(draft.gas.owner));
  const { id: objectId, version } = mock;
  const payment = [{ objectId, version, digest: objectDigest(mock) }];
  const budget = BigInt(draft.gas.budget) || budgetMax;
  const paid = isMocked ? toTransaction(withGas(draft, { payment, budget })) : resolved;
  const objectAt = (id: string) => (id === mock.id ? mock : chain.ledger.store.get(id));
  const rejection = isChecked ? rejectionOf(paid, { ...chain.checkWorld(), objectAt }) : undefined;
  if (rejection) return rejection;
  const world = { ...chain.executionWorld(), objectAt };
  return { kind: 'simulated', executed: execute(paid, { world, signatures: [] }), resolved };
}

function budgetFor({ gasUsed, transaction }: Executed): bigint {
  const { computationCost, storageCost, storageRebate } = gasUsed;
  const computation = computationCost + overheadUnits * BigInt(transaction.gas.price);
  const whole = computation + storageCost - storageRebate;
  return whole > computation ? whole : computation;
}

function selectCoins(chain: Chain, draft: TransactionDraft, budget: bigint): Payment | undefined {
  const { store } = chain.ledger;
  const wanted = coinTypeOf(suiType);
  const used = new Set(
    toTransaction(draft).inputs.map(({ Object: object }) => object?.ImmOrOwnedObject?.objectId),
  );
  const coins = store
    .ownedBy(normalizeSuiAddress(String(draft.gas.owner)))
    .filter(({ type, id }) => type === wanted && !used.has(id))
    .sort((a, b) => Number(balanceOf(b) - balanceOf(a)));
  const chosen: LedgerObject[] = [];
  let total = 0n;
  for (const coin of coins) {
    if (total >= budget) break;
    chosen.push(coin);
    total += balanceOf(coin);
  }
  if (total < budget) return undefined;
  return chosen.map((coin) => ({
    objectId: coin.id,
    version: coin.version,
    digest: objectDigest(coin),
  }));
}

const mockCoin = (owner: string): LedgerObject => ({
  id: mockCoinId,
  owner: { kind: 'address', address: normalizeSuiAddress(owner) },
  type: coinTypeOf(suiType),
  contents: coinContents(mockCoinId, budgetMax * 2n),
  hasPublicTransfer: true,
  version: 1n,
  previousTransaction: noDigest,
  storageRebate: 0n,
});
