/** What has to be true of a chain before anything is believed or bought: checked once, at start (Sui, section 15). */
import type { SuiAddress } from '../domain/chain-ids.ts';
import type { ChainIds } from './client.ts';
import type { DatabaseObject, FullNode, PackageVersion } from './full-node.ts';
import { normalType } from './move-type.ts';

export type OpenedChain =
  | {
      readonly kind: 'ready';
      /** Names the database in a transaction. */
      readonly initialSharedVersion: bigint;
      /** False where the node lists no events, so that checkpoints have to be read. */
      readonly canListEvents: boolean;
    }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** Asks the node and judges; throws where it does not answer, or is of another chain. */
export async function openChain(options: {
  fullNode: FullNode;
  ids: ChainIds;
  signal: AbortSignal;
}): Promise<OpenedChain> {
  const { fullNode, ids, signal } = options;
  const { height } = await fullNode.view(signal);
  const object = await fullNode.database(signal);
  const canListEvents = await fullNode.canListEvents(height, signal);
  const problems = judgeDatabase(object, ids.definingPackage);
  const { initialSharedVersion } = object;
  if (initialSharedVersion === undefined || problems.length > 0) {
    return { kind: 'problems', problems };
  }
  return { kind: 'ready', initialSharedVersion, canListEvents };
}

/** What is wrong with the object that is configured as the contract's database. */
export function judgeDatabase(
  { type, initialSharedVersion }: Omit<DatabaseObject, 'database'>,
  definingPackage: SuiAddress,
): readonly string[] {
  const expected = `${definingPackage}::db::AtomaDb`;
  const actual = normalType(type);
  return [
    ...(actual === expected ? [] : [`the database is a ${actual}, expected a ${expected}`]),
    ...(initialSharedVersion === undefined ? ['the database is not a shared object'] : []),
  ];
}

/** The versions of the package that nobody has approved: their calls and events may differ. */
export function unknownVersions(
  versions: readonly PackageVersion[],
  known: readonly SuiAddress[],
): readonly PackageVersion[] {
  return versions.filter(({ packageId }) => !known.includes(packageId));
}
