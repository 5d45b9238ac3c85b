/** One stand-in chain and one Redis for many treasuries. */
import { createFullNode } from '../../chain/client.ts';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from '../../chain/keystore.ts';
import { createSeed } from '../../devnet/sui/atoma-seed.ts';
import { startFullNode } from '../../devnet/sui/full-node.ts';
import { keyOf } from '../../devnet/sui/testing.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import { openRedis } from '../../storage/testing.ts';
import { startRedis } from '../redis.ts';

const randomId = suiAddress(`0x${'8'.padStart(64, '0')}`);

export type World = Awaited<ReturnType<typeof startWorld>>;

export async function startWorld() {
  const own = await openRedis(await startRedis());
  const chain = await startFullNode({ checkpointMs: 0 });
  const atoma = chain.publish(keyOf(100).toSuiAddress());
  const seed = createSeed(chain.chain, atoma);
  const ids = {
    chainId: chain.chain.chainId(),
    definingPackage: suiAddress(atoma.packageId),
    databaseId: suiAddress(atoma.dbId),
  };
  const node = createFullNode({
    host: chain.address,
    tls: false,
    pauseMs: () => 1,
    callDeadlineMs: 2000,
    ids,
  });
  const { signal } = new AbortController();
  const database = await node.database(signal);
  const random = await node.object(randomId, signal);
  const contract = {
    packageId: ids.definingPackage,
    database: {
      objectId: ids.databaseId,
      initialVersion: database.initialSharedVersion ?? 0n,
    },
    random: {
      objectId: randomId,
      initialVersion: random?.owner.kind === 'shared' ? random.owner.initialVersion : 0n,
    },
  };
  let keys = 0;
  return {
    chain,
    seed,
    node,
    redis: own.redis,
    redisUrl: own.server.url,
    contract,
    ids,
    nextKey: (): SigningKey => {
      keys += 1;
      const seedBytes = new Uint8Array(32).fill(7);
      new DataView(seedBytes.buffer).setUint32(0, keys);
      const key = parseKeystoreEntry(toKeystoreEntry(seedBytes));
      if (!key) throw new Error('a seed makes a key');
      return key;
    },
    async close() {
      node.close();
      await chain.close();
      await own.close();
    },
  };
}
