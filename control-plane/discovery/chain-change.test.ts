import { describe, expect, it } from 'vitest';
import { emptyState, subscriptionId } from '../../chain/indexer/state.ts';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import { clusterOf } from '../../domain/names.ts';
import { resourceTypes } from '../translate/snapshot.ts';
import { testSettings } from '../translate/testing/fleet.ts';
import { translate } from '../translate/translate.ts';
import { type NodeAddress, toChainFleet } from './chain-fleet.ts';

describe('a change among a hundred models on a thousand nodes', () => {
  const [models, nodes] = [100n, 1000n];
  const owner = suiAddress(`0x${'0'.repeat(63)}1`);
  const defaults = { contextTokensMax: 4096, outputTokensMax: 512 };

  function bigRows() {
    const rows = emptyState();
    for (let task = 1n; task <= models; task += 1n) {
      const taskId = taskSmallId(task);
      const kind = { role: 0, model: `m${task}`, securityLevel: 1, reputationMin: 0 };
      rows.tasks.set(String(task), { taskId, ...kind, deprecatedAtEpoch: undefined });
    }
    for (let node = 1n; node <= nodes; node += 1n) {
      const ids = { nodeId: nodeSmallId(node), taskId: taskSmallId((node % models) + 1n) };
      const stackId = stackSmallId(node);
      rows.nodes.set(String(node), { nodeId: ids.nodeId, badgeId: undefined });
      const asked = { ...ids, pricePerMillion: 10n, unitsMax: 1_000_000n };
      rows.subscriptions.set(subscriptionId(ids), asked);
      const bought = { units: 1_000_000n, pricePerMillion: 10n, standing: 'open' as const };
      rows.stacks.set(String(node), { stackId, ...ids, ...bought });
    }
    return rows;
  }

  const addresses = new Map<string, NodeAddress>(
    Array.from({ length: Number(nodes) }, (_, index) => [
      String(index + 1),
      {
        kind: 'usable',
        host: 'n.example',
        port: 443,
        tls: true,
        owner,
        ip: `10.0.${(index + 1) >> 8}.${(index + 1) & 255}`,
      },
    ]),
  );
  const resourcesOf = (rows: ReturnType<typeof bigRows>) => {
    const { fleet } = toChainFleet({ rows, addresses, defaults, percentOf: () => 100 });
    const { resources } = translate(fleet, testSettings());
    return new Map(
      resourceTypes.flatMap((type) =>
        [...resources[type].values()].map(({ name, version }) => [`${type} ${name}`, version]),
      ),
    );
  };

  it('gives Envoy the endpoints of that model anew, and nothing else', () => {
    const before = resourcesOf(bigRows());
    const rows = bigRows();
    const gone = { nodeId: nodeSmallId(500n), taskId: taskSmallId(1n) };
    expect(rows.subscriptions.delete(subscriptionId(gone))).toBe(true);
    const after = resourcesOf(rows);
    const changed = [...after].filter(([name, version]) => before.get(name) !== version);
    expect(changed.map(([name]) => name)).toEqual([`endpoint ${clusterOf('m1')}`]);
    expect(after.size).toBe(before.size);
  });
});
