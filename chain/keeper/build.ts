/** Builds and signs the keeper's transactions offline: everything that they name is given (Sui, section 10). */
import { Inputs, Transaction, TransactionDataBuilder } from '@mysten/sui/transactions';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { SigningKey } from '../keystore.ts';
import type { ObjectRef } from '../transaction-node.ts';
import { signTransaction } from '../transaction-signature.ts';
import type { SentTransaction, StackOrder } from './operation.ts';

type SharedObject = { readonly objectId: SuiAddress; readonly initialVersion: bigint };

/** What the purchase calls. */
export type Contract = {
  /** The latest version of the package: calls go there. */
  readonly packageId: SuiAddress;
  readonly database: SharedObject;
  /** Sui's source of randomness, `0x8`. */
  readonly random: SharedObject;
};

/** Whose keys sign: the treasury pays the gas of all, the stack owner's key holds no gas. */
export type Wallets = {
  readonly treasury: SigningKey & { readonly address: SuiAddress };
  readonly owner: SigningKey & { readonly address: SuiAddress };
};

/** The treasury's coins that pay for gas, and on what terms. */
export type Gas = {
  readonly coins: readonly ObjectRef[];
  readonly gasPrice: bigint;
  readonly budgetMist: bigint;
  /** The transaction is void after this epoch. */
  readonly epoch: bigint;
  readonly height: bigint;
};

/**
 * Merges the treasury's coins, and sends one of exactly that amount. The id of that coin follows from the digest of the
 * transaction: the nonce, an input that no command uses, keeps anybody from knowing either before it is sent.
 */
export async function buildPayment(options: {
  readonly wallets: Wallets;
  readonly gas: Gas;
  readonly coins: readonly ObjectRef[];
  readonly amount: bigint;
  readonly recipient: SuiAddress;
  readonly nonce: Uint8Array;
}): Promise<SentTransaction> {
  const { wallets, gas, amount, recipient, nonce } = options;
  const { treasury } = wallets;
  const tx = start({ sender: treasury.address, wallets, gas });
  const [wallet, ...rest] = options.coins.map((coin) => tx.object(input(coin)));
  if (!wallet) throw new RangeError('a payment needs a coin');
  if (rest.length > 0) tx.mergeCoins(wallet, rest);
  tx.transferObjects([tx.splitCoins(wallet, [tx.pure.u64(amount)])], recipient);
  tx.pure(nonce);
  return finish(tx, { gas, inputs: options.coins, signers: [treasury] });
}

/**
 * Buys one stack with the whole coin, so that a higher cost than the expected one aborts; whatever is left, if only an
 * empty coin, goes back to the treasury.
 */
export async function buildBuying(options: {
  readonly wallets: Wallets;
  readonly gas: Gas;
  readonly contract: Contract;
  readonly coin: ObjectRef;
  readonly order: StackOrder;
}): Promise<SentTransaction> {
  const { wallets, gas, contract, coin, order } = options;
  const { treasury, owner } = wallets;
  const tx = start({ sender: owner.address, wallets, gas });
  const pay = tx.object(input(coin));
  tx.moveCall({
    target: `${contract.packageId}::db::acquire_new_stack_entry`,
    arguments: [
      tx.object(shared(contract.database, { mutable: true })),
      pay,
      tx.pure.u64(order.taskId),
      tx.pure.u64(order.units),
      tx.pure.u64(order.pricePerMillion),
      tx.object(shared(contract.random, { mutable: false })),
    ],
  });
  // After a call that takes randomness nothing but transfers and merges may follow.
  tx.transferObjects([pay], treasury.address);
  return finish(tx, { gas, inputs: [coin], signers: [owner, treasury] });
}

/** Sends coins of the stack owner to the treasury. */
export async function buildReturn(options: {
  readonly wallets: Wallets;
  readonly gas: Gas;
  readonly coins: readonly ObjectRef[];
}): Promise<SentTransaction> {
  const { wallets, gas, coins } = options;
  const { treasury, owner } = wallets;
  const tx = start({ sender: owner.address, wallets, gas });
  tx.transferObjects(
    coins.map((coin) => tx.object(input(coin))),
    treasury.address,
  );
  return finish(tx, { gas, inputs: coins, signers: [owner, treasury] });
}

function start(options: { sender: SuiAddress; wallets: Wallets; gas: Gas }): Transaction {
  const { sender, wallets, gas } = options;
  const tx = new Transaction();
  tx.setSender(sender);
  tx.setGasOwner(wallets.treasury.address);
  tx.setGasPayment(gas.coins.map(toSdk));
  tx.setGasPrice(gas.gasPrice);
  tx.setGasBudget(gas.budgetMist);
  tx.setExpiration({ Epoch: String(gas.epoch) });
  return tx;
}

async function finish(
  tx: Transaction,
  options: { gas: Gas; inputs: readonly ObjectRef[]; signers: readonly SigningKey[] },
): Promise<SentTransaction> {
  const { gas, signers } = options;
  // Without a client: throws where anything is left to be resolved.
  const bytes = await tx.build();
  return {
    digest: TransactionDataBuilder.getDigestFromBytes(bytes),
    bytes,
    signatures: signers.map((key) => signTransaction(key, bytes)),
    inputs: [...options.inputs, ...gas.coins].map(({ objectId, version, digest }) => ({
      objectId,
      version,
      digest,
    })),
    lastEpoch: gas.epoch,
    builtAtHeight: gas.height,
  };
}

const toSdk = ({ objectId, version, digest }: ObjectRef) => ({
  objectId,
  version: String(version),
  digest,
});

const input = (ref: ObjectRef) => Inputs.ObjectRef(toSdk(ref));

const shared = ({ objectId, initialVersion }: SharedObject, { mutable }: { mutable: boolean }) =>
  Inputs.SharedObjectRef({ objectId, initialSharedVersion: String(initialVersion), mutable });
