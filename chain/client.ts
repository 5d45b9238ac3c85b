/** The chain through one full node over native gRPC: composes the parts of the port, and pins the chain. */
import { normalizeSuiAddress } from '@mysten/sui/utils';
import type { SuiAddress } from '../domain/chain-ids.ts';
import { type FullNode, FullNodeError, type PackageVersion } from './full-node.ts';
import { createBadgeReader } from './grpc/badges.ts';
import { type Connection, type ConnectionOptions, connectFullNode } from './grpc/connection.ts';
import { createEventReader } from './grpc/events.ts';
import { expectAddress, expectSet } from './grpc/expect.ts';
import { pagesOf } from './grpc/pages.ts';
import { createStateReader } from './grpc/state.ts';
import { createTransactionReader } from './grpc/transaction-reader.ts';
import { createTransactionNode } from './grpc/transactions.ts';
import type { TransactionNode } from './transaction-node.ts';

export type ChainIds = {
  /** The digest of the genesis checkpoint, by which a chain is known. */
  readonly chainId: string;
  /** The package that first defined the contract's types. */
  readonly definingPackage: SuiAddress;
  readonly databaseId: SuiAddress;
};

const pageVersionsMax = 1000;

/** Connects when first used; nothing is checked before `view` is called. */
export function createFullNode(
  options: ConnectionOptions & { ids: ChainIds },
): FullNode & TransactionNode {
  const { ids } = options;
  const connection = connectFullNode(options);
  return {
    provider: options.host,
    ...createEventReader(connection),
    ...createTransactionReader(connection),
    ...createStateReader({ connection, ...ids }),
    ...createBadgeReader({ connection, ...ids }),
    ...createTransactionNode(connection),

    async view(signal) {
      const info = await connection.call(signal, (call) =>
        connection.client.ledgerService.getServiceInfo({}, call),
      );
      if (info.chainId !== ids.chainId) {
        throw new FullNodeError('wrong-chain', `expected ${ids.chainId}, got ${info.chainId}`);
      }
      return {
        height: expectSet(info.checkpointHeight, 'checkpoint_height'),
        lowestCheckpoint: info.lowestAvailableCheckpoint ?? 0n,
      };
    },

    packageVersions: (packageId, signal) => readVersions({ connection, packageId, signal }),
    close: () => connection.close(),
  };
}

async function readVersions(options: {
  connection: Connection;
  packageId: SuiAddress;
  signal: AbortSignal;
}): Promise<readonly PackageVersion[]> {
  const { connection, packageId, signal } = options;
  const versions: PackageVersion[] = [];
  const pages = pagesOf((next) =>
    connection.call(signal, (call) =>
      connection.client.movePackageService.listPackageVersions(
        { packageId, pageSize: pageVersionsMax, ...next },
        call,
      ),
    ),
  );
  for await (const page of pages) {
    for (const { packageId: id, version } of page.versions) {
      const full = id === undefined ? undefined : normalizeSuiAddress(id);
      versions.push({
        packageId: expectAddress(full, 'package_id'),
        version: expectSet(version, 'version'),
      });
    }
  }
  return versions;
}
