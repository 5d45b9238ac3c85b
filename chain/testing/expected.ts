/** What an indexer must know of a test ledger, worked out from its objects and its full history. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { KnownStack, StackClaim } from '../indexer/state.ts';
import type { TestLedger } from './ledger.ts';

/** For an indexer that read the objects at `height`, and events from then on. */
export function expectedState(options: { ledger: TestLedger; owner: SuiAddress; height: bigint }) {
  const { ledger, height } = options;
  const later = ledger.history.filter(({ checkpoint }) => checkpoint > height);
  return {
    nodes: rowsOf(ledger.nodes, (nodeId) => {
      const badges = later.flatMap(({ event }) =>
        event.kind === 'node-registered' && event.nodeId === nodeId ? [event.badgeId] : [],
      );
      return { nodeId, badgeId: badges.at(-1) };
    }),
    tasks: rowsOf(ledger.tasks, (taskId, { task }) => {
      const { role, model, securityLevel, reputationMin, deprecatedAtEpoch } = task;
      return { taskId, role, model, securityLevel, reputationMin, deprecatedAtEpoch };
    }),
    subscriptions: new Map(
      [...ledger.tasks].flatMap(([taskId, { prices }]) =>
        [...prices.values()].map((price) => [`${taskId}/${price.nodeId}`, { taskId, ...price }]),
      ),
    ),
    ...stacksOf(options),
    keys: keysOf(options),
    rotation: new Map([['current', ledger.rotation]]),
  };
}

function rowsOf<Id extends bigint, Value, Row>(
  values: ReadonlyMap<Id, Value>,
  toRow: (id: Id, value: Value) => Row,
): Map<string, Row> {
  return new Map([...values].map(([id, value]) => [String(id), toRow(id, value)]));
}

function stacksOf(options: { ledger: TestLedger; owner: SuiAddress; height: bigint }) {
  const stacks = new Map([...liveStacks(options), ...settledStacks(options)]);
  const claims = new Map<string, StackClaim>();
  for (const { event, checkpoint, transactionDigest } of options.ledger.history) {
    if (event.kind !== 'stack-claimed' && event.kind !== 'settlement-ticket-claimed') continue;
    const { stackId, nodeId, unitsClaimed, refund } = event;
    const claim = { stackId, nodeId, unitsClaimed, refund, transactionDigest, checkpoint };
    const isTold = checkpoint > options.height && stacks.has(String(stackId));
    if (isTold) claims.set(String(stackId), claim);
  }
  return { stacks, claims };
}

type Owned = { readonly ledger: TestLedger; readonly owner: SuiAddress };

function liveStacks({ ledger, owner }: Owned): [string, KnownStack][] {
  const own = [...ledger.stacks].filter(([, value]) => value.owner === owner);
  return own.map(([stackId, value]) => {
    const { taskId, nodeId, units, pricePerMillion, isClaimed } = value;
    const unclaimed = ledger.tickets.has(stackId) ? 'frozen' : 'open';
    const standing = isClaimed ? 'claimed' : unclaimed;
    return [String(stackId), { stackId, taskId, nodeId, units, pricePerMillion, standing }];
  });
}

/** The contract deletes a stack that was settled by a ticket. */
function settledStacks({ ledger, owner }: Owned): [string, KnownStack][] {
  return ledger.history.flatMap(({ event }) => {
    if (event.kind !== 'stack-created' || event.owner !== owner) return [];
    const { stackId, taskId, nodeId, units, pricePerMillion } = event;
    if (ledger.stacks.has(stackId)) return [];
    const row = { stackId, taskId, nodeId, units, pricePerMillion, standing: 'claimed' } as const;
    return [[String(stackId), row]];
  });
}

function keysOf({ ledger, height }: { ledger: TestLedger; height: bigint }) {
  const keys = new Map<string, unknown>();
  for (const [nodeId, { publicKey, keyRotation: rotation, keyEpoch: epoch }] of ledger.nodes) {
    if (publicKey)
      keys.set(String(nodeId), { nodeId, source: 'stored', publicKey, rotation, epoch });
  }
  for (const { event, checkpoint } of ledger.history) {
    if (event.kind !== 'node-key-committed' || checkpoint <= height) continue;
    const { nodeId, publicKey, rotation, epoch } = event;
    keys.set(String(nodeId), { nodeId, source: 'event', publicKey, rotation, epoch });
  }
  return keys;
}
