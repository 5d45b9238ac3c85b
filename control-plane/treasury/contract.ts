/** Finds what a purchase calls: the newest approved version of the package, the database, and Sui's randomness. */
import type { ChainIds } from '../../chain/client.ts';
import { type FullNode, FullNodeError } from '../../chain/full-node.ts';
import type { Contract } from '../../chain/keeper/build.ts';
import { openChain } from '../../chain/startup.ts';
import type { TransactionNode } from '../../chain/transaction-node.ts';
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';

/** Sui's source of randomness. */
const randomId = suiAddress(`0x${'8'.padStart(64, '0')}`);

/** Throws where the chain is not as configured. */
export async function findContract(options: {
  readonly fullNode: FullNode & Pick<TransactionNode, 'object'>;
  readonly ids: ChainIds;
  /** The versions of the package that are approved. */
  readonly knownPackages: readonly SuiAddress[];
  readonly signal: AbortSignal;
}): Promise<Contract> {
  const { fullNode, ids, knownPackages, signal } = options;
  const opened = await openChain({ fullNode, ids, signal });
  if (opened.kind === 'problems') {
    throw new FullNodeError('protocol', opened.problems.join('; '));
  }
  const random = await fullNode.object(randomId, signal);
  if (random?.owner.kind !== 'shared') {
    throw new FullNodeError('protocol', 'the source of randomness is not a shared object');
  }
  const versions = await fullNode.packageVersions(ids.definingPackage, signal);
  const newest = versions
    .filter(({ packageId }) => knownPackages.includes(packageId))
    .toSorted((left, right) => Number(right.version - left.version))[0];
  return {
    packageId: newest?.packageId ?? ids.definingPackage,
    database: { objectId: ids.databaseId, initialVersion: opened.initialSharedVersion },
    random: { objectId: randomId, initialVersion: random.owner.initialVersion },
  };
}
