/** What is known of the chain and of our own count at one moment: whom to trust, and what is needed. */
import type { ChainState } from '../../chain/indexer/state.ts';
import type { Taken } from '../../chain/keeper/claims.ts';
import type { EndedOperation } from '../../chain/keeper/operation.ts';
import type { TaskNeed } from '../../chain/keeper/plan.ts';
import type { NodeSmallId } from '../../domain/chain-ids.ts';
import type { Logger } from '../../runtime/log.ts';
import type { createTreasuryMetrics } from '../../runtime/metrics.ts';
import { toNeeds } from './needs.ts';
import { readStock, readUseRate, type Stock, type StockPorts } from './stock.ts';
import { type Trust, trustFrom } from './trust.ts';

export type StandingPorts = StockPorts & {
  readonly metrics: Pick<ReturnType<typeof createTreasuryMetrics>, 'overClaimedUnits'>;
  readonly log: Logger;
};

export type Standing = {
  /** Takes in the chain's rows; throws where the storage does not answer. */
  judge(rows: ChainState): Promise<Trust>;
  /** Nothing before the first rows have come. Throws where the storage does not answer. */
  needs(options: {
    readonly isReachable: (nodeId: NodeSmallId) => boolean;
    readonly ended: readonly EndedOperation[];
  }): Promise<readonly TaskNeed[] | undefined>;
};

export function createStanding(ports: StandingPorts): Standing {
  const alarm = createAlarm(ports);
  let rows: ChainState | undefined;
  return {
    async judge(now) {
      rows = now;
      const stock = await readStock(ports, modelsIn(now));
      const trust = trustFrom(takenIn(now, stock), stock.used);
      alarm(trust);
      return trust;
    },
    async needs({ isReachable, ended }) {
      if (!rows) return undefined;
      const stock = await readStock(ports, modelsIn(rows));
      const { isTrusted } = trustFrom(takenIn(rows, stock), stock.used);
      const unitsPerHour = await readUseRate(ports, stock);
      return toNeeds({ ...stock, rows, isReachable, isTrusted, unitsPerHour, ended });
    },
  };
}

/** Also of tasks that are not served any more: their stacks are still claimed. */
const modelsIn = ({ tasks }: ChainState): string[] =>
  [...tasks.values()].flatMap(({ model }) => model ?? []);

/** What was claimed; and what is refused for good, which is as good as claimed. */
function takenIn({ claims, stacks }: ChainState, { closed }: Stock): Taken[] {
  const refused = [...stacks.values()].filter(
    ({ stackId, standing }) =>
      standing === 'open' && closed.has(stackId) && !claims.has(String(stackId)),
  );
  return [
    ...claims.values(),
    ...refused.map(({ stackId, nodeId, units }) => ({ stackId, nodeId, unitsClaimed: units })),
  ];
}

/** Says each over-claim once, on the second look: what is in flight at the claim is counted a moment later. */
function createAlarm({ metrics, log }: StandingPorts): (trust: Trust) => void {
  const seen = new Set<string>();
  const told = new Set<string>();
  return ({ judgements }) => {
    const over = judgements.filter((judgement) => judgement.over > 0n);
    metrics.overClaimedUnits.set(Number(over.reduce((sum, one) => sum + one.over, 0n)));
    for (const { stackId, nodeId, claimed, used } of over) {
      const id = String(stackId);
      if (seen.has(id) && !told.has(id)) {
        const numbers = { claimed: String(claimed), used: String(used), node: String(nodeId) };
        log.error({ stack: id, ...numbers }, 'a node took more than we used');
        told.add(id);
      }
      seen.add(id);
    }
  };
}
