/** A process that keeps stacks as the control plane does, until it is killed; the parent sends its order by IPC. */

import { randomBytes } from 'node:crypto';
import { createFullNode } from '../../chain/client.ts';
import { parseKeystoreEntry, type SigningKey } from '../../chain/keystore.ts';
import { keepStacks } from '../../control-plane/treasury/keeping.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import { createRegistry, createTreasuryMetrics } from '../../runtime/metrics.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createStorage } from '../../storage/storage.ts';
import { askOf, type BuyerOrder, readOwnStacks, stackUnits, usableUnits } from './buyer-order.ts';
import { createFuse } from './fuse.ts';
import { settings } from './play.ts';

const leaseMs = 120;
/** More than any treasury of the tests has. */
const budget = 10n ** 12n;

process.once('message', (order: BuyerOrder) => void buy(order));
// It dies with whoever started it.
process.once('disconnect', die);
process.send?.('booted');

async function buy(order: BuyerOrder): Promise<void> {
  const fuse = createFuse(die);
  fuse.arm(order.broken);
  const { chainId, definingPackage, databaseId } = order;
  const ids = {
    chainId,
    definingPackage: suiAddress(definingPackage),
    databaseId: suiAddress(databaseId),
  };
  const fullNode = createFullNode({ host: order.fullNode, tls: false, pauseMs: () => 1, ids });
  const storage = await createStorage({ redisUrl: order.redisUrl, log: silentLog });
  const [treasury, stackOwner] = [keyFrom(order.treasury), keyFrom(order.stackOwner)];
  const owner = suiAddress(stackOwner.address);
  const id = { chainId, address: suiAddress(treasury.address) };
  const store = storage.treasury(id);
  await keepStacks(
    {
      node: { ...fullNode, ...fuse.node(fullNode) },
      store: fuse.store(store),
      withdrawals: storage.withdrawals(id),
      treasury,
      stackOwner,
      usdcType: order.usdcType,
      gasBudgetMist: 50_000_000n,
      settings: {
        ...settings,
        budgetPerHour: budget,
        budgetPerDay: budget,
        unitsPerStack: stackUnits,
        runwayUnitsMin: BigInt(order.stacksWanted) * usableUnits,
      },
      contract: { ids, knownPackages: [ids.definingPackage] },
      observe: async () => {
        const stacks = await readOwnStacks(fullNode, owner);
        // Nothing more is wanted: the parent sees that all is done.
        if (stacks.length >= order.stacksWanted) process.send?.('done');
        return [
          {
            taskId: order.taskId,
            securityLevel: 1,
            isDeprecated: false,
            unitsPerHour: 0n,
            stacks,
            asks: [askOf(order)],
          },
        ];
      },
      saveReport: async () => {},
      onChange: () => () => {},
      metrics: createTreasuryMetrics(createRegistry('buyer')),
      randomBytes,
      nowMs: () => Date.now(),
      backoffMs: () => 20,
      leaseMs,
      log: silentLog,
    },
    new AbortController().signal,
  );
}

/** As the kernel ends a process: nothing of it runs on. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable: the process has been killed');
}

function keyFrom(entry: string): SigningKey {
  const key = parseKeystoreEntry(entry);
  if (!key) throw new Error('the order holds a keystore entry');
  return key;
}
