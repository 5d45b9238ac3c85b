/** Takes a signed transaction in: signatures, checks, locks, execution. The same digest gives the same result for ever. */
import { toBase64 } from '@mysten/sui/utils';
import { verifyTransactionSignature } from '@mysten/sui/verify';
import type { Chain, HeldTransaction } from './chain.ts';
import { execute } from './execute.ts';
import type { Executed } from './executed.ts';
import type { Faults } from './node-faults.ts';
import { ownedReferences, type Rejection, reject, rejectionOf } from './transaction-checks.ts';
import { type ParsedTransaction, parseTransaction } from './transaction-data.ts';

export type Submission = {
  readonly bytes: Uint8Array;
  readonly signatures: readonly Uint8Array[];
  readonly loss: Faults['execution'];
};

/** What came of it; `lost` is a submission whose answer never arrives. */
export type Submitted =
  | { readonly kind: 'executed'; readonly executed: Executed }
  | { readonly kind: 'lost' }
  | Rejection;

export async function submitTransaction(chain: Chain, submission: Submission): Promise<Submitted> {
  const { bytes, signatures, loss } = submission;
  if (loss === 'lost-first') return { kind: 'lost' };
  const transaction = parseTransaction(bytes);
  if (!transaction) return reject('the bytes are not the BCS of a programmable transaction');
  const refusal = await checkSignatures(transaction, signatures);
  if (refusal) return refusal;

  // From here to the end nothing waits, so that two submissions cannot interleave.
  const { ledger } = chain;
  const known = ledger.history.transaction(transaction.digest);
  if (known) return answer(known, loss);
  const rejection = rejectionOf(transaction, chain.checkWorld()) ?? lock(chain, transaction);
  if (rejection) return rejection;
  if (loss === 'lost-before') {
    chain.held.set(transaction.digest, { transaction, signatures });
    return { kind: 'lost' };
  }
  return answer(run(chain, { transaction, signatures }), loss);
}

/** Executes what was held back, as far as nothing has overtaken it; returns the digests that landed. */
export function landHeld(chain: Chain): string[] {
  const held = [...chain.held.values()];
  chain.held.clear();
  return held.flatMap((submission) => {
    const { digest } = submission.transaction;
    const isKnown = chain.ledger.history.transaction(digest) !== undefined;
    if (isKnown || rejectionOf(submission.transaction, chain.checkWorld())) return [];
    run(chain, submission);
    return [digest];
  });
}

function run(chain: Chain, { transaction, signatures }: HeldTransaction): Executed {
  const executed = execute(transaction, { world: chain.executionWorld(), signatures });
  chain.ledger.commit(executed);
  return executed;
}

const answer = (executed: Executed, loss: Faults['execution']): Submitted =>
  loss === 'lost-after' ? { kind: 'lost' } : { kind: 'executed', executed };

/** Promises the owned inputs to this transaction; another one cannot have them in this epoch. */
function lock({ ledger }: Chain, transaction: ParsedTransaction): Rejection | undefined {
  const keys = ownedReferences(transaction, ledger.store.get).map(
    ({ objectId, version }) => `${objectId}@${version}`,
  );
  const held = keys.find((key) => {
    const holder = ledger.locks.get(key);
    return holder !== undefined && holder !== transaction.digest;
  });
  if (held !== undefined) {
    const message = `ObjectLockConflict: ${held} is locked by ${ledger.locks.get(held)}`;
    return reject(message, 'FAILED_PRECONDITION');
  }
  for (const key of keys) ledger.locks.set(key, transaction.digest);
  return undefined;
}

async function checkSignatures(
  { bytes, sender, gas }: ParsedTransaction,
  signatures: readonly Uint8Array[],
): Promise<Rejection | undefined> {
  const wanted = new Set([sender, gas.owner]);
  if (signatures.length !== wanted.size) {
    return reject(`expected ${wanted.size} signatures, not ${signatures.length}`);
  }
  for (const signature of signatures) {
    const signer = await signerOf(bytes, signature);
    if (signer === undefined) return reject('InvalidSignature');
    if (!wanted.delete(signer)) return reject(`IncorrectSigner: ${signer} is not a signer`);
  }
  return undefined;
}

async function signerOf(bytes: Uint8Array, signature: Uint8Array): Promise<string | undefined> {
  try {
    return (await verifyTransactionSignature(bytes, toBase64(signature))).toSuiAddress();
  } catch {
    return undefined;
  }
}
