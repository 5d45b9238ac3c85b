/** What an event of the contract changes in the rows: absolute, so that it may be applied more than once. */
import type { ChainEvent, ChainEventOf } from '../../domain/chain-event.ts';
import type { StackSmallId, SuiAddress, TaskSmallId } from '../../domain/chain-ids.ts';
import type { LedgerEvent } from '../full-node.ts';
import { type ChainState, type KnownStack, type StateChange, subscriptionId } from './state.ts';

type Claim = ChainEventOf<'stack-claimed'> | ChainEventOf<'settlement-ticket-claimed'>;

/** The changes that follow from `event`; stacks of other owners than `owner` are passed over. */
export function project(options: {
  state: ChainState;
  event: ChainEvent;
  ledgerEvent: Pick<LedgerEvent, 'transactionDigest' | 'position'>;
  owner: SuiAddress;
}): readonly StateChange[] {
  const { state, event, ledgerEvent, owner } = options;
  switch (event.kind) {
    case 'node-registered': {
      const { nodeId, badgeId } = event;
      return [{ table: 'nodes', id: String(nodeId), row: { nodeId, badgeId } }];
    }
    case 'key-rotation-started': {
      const { rotation, nonce } = event;
      return [{ table: 'rotation', id: 'current', row: { rotation, nonce } }];
    }
    case 'node-key-committed':
      return committed(event);
    case 'node-subscribed':
    case 'node-subscription-updated': {
      const { taskId, nodeId, pricePerMillion, unitsMax } = event;
      const row = { taskId, nodeId, pricePerMillion, unitsMax };
      return [{ table: 'subscriptions', id: subscriptionId(event), row }];
    }
    case 'node-unsubscribed':
      return [{ table: 'subscriptions', id: subscriptionId(event), row: undefined }];
    case 'task-registered':
      return registered(event);
    case 'task-deprecated': {
      const task = state.tasks.get(String(event.taskId));
      if (!task) return [];
      const row = { ...task, deprecatedAtEpoch: event.epoch };
      return [{ table: 'tasks', id: String(event.taskId), row }];
    }
    case 'task-removed':
      return removed(state, event.taskId);
    case 'stack-created':
      return event.owner === owner ? created(event) : [];
    case 'stack-settling':
    case 'settlement-ticket-issued':
    case 'settlement-disputed':
      return standing({ state, stackId: event.stackId, value: 'frozen' });
    case 'stack-claimed':
    case 'settlement-ticket-claimed':
      return claimed({ state, event, ledgerEvent });
    case 'published':
    case 'node-subscribed-to-model':
    case 'settlement-attested':
      return [];
  }
}

function committed(event: ChainEventOf<'node-key-committed'>): readonly StateChange[] {
  const { nodeId, publicKey, rotation, epoch, evidence } = event;
  const id = String(nodeId);
  return [
    { table: 'keys', id, row: { nodeId, source: 'event', publicKey, rotation, epoch } },
    { table: 'evidence', id, row: { evidence } },
  ];
}

function registered(event: ChainEventOf<'task-registered'>): readonly StateChange[] {
  const { taskId, role, model, securityLevel, reputationMin = 0 } = event;
  const deprecatedAtEpoch = undefined;
  const row = { taskId, role, model, securityLevel, reputationMin, deprecatedAtEpoch };
  return [{ table: 'tasks', id: String(taskId), row }];
}

function removed(state: ChainState, taskId: TaskSmallId): readonly StateChange[] {
  const ids = [...state.subscriptions].flatMap(([id, row]) => (row.taskId === taskId ? [id] : []));
  return [
    { table: 'tasks', id: String(taskId), row: undefined },
    ...ids.map((id) => ({ table: 'subscriptions', id, row: undefined }) as const),
  ];
}

function created(event: ChainEventOf<'stack-created'>): readonly StateChange[] {
  const { stackId, taskId, nodeId, units, pricePerMillion } = event;
  const row: KnownStack = { stackId, taskId, nodeId, units, pricePerMillion, standing: 'open' };
  return [{ table: 'stacks', id: String(stackId), row }];
}

function standing(options: {
  state: ChainState;
  stackId: StackSmallId;
  value: KnownStack['standing'];
}): readonly StateChange[] {
  const id = String(options.stackId);
  const stack = options.state.stacks.get(id);
  // A stack that is not ours.
  if (!stack) return [];
  return [{ table: 'stacks', id, row: { ...stack, standing: options.value } }];
}

function claimed(options: {
  state: ChainState;
  event: Claim;
  ledgerEvent: Pick<LedgerEvent, 'transactionDigest' | 'position'>;
}): readonly StateChange[] {
  const { state, event, ledgerEvent } = options;
  const { stackId, nodeId, unitsClaimed, refund } = event;
  const changes = standing({ state, stackId, value: 'claimed' });
  if (changes.length === 0) return [];
  const { transactionDigest, position } = ledgerEvent;
  const { checkpoint } = position;
  const row = { stackId, nodeId, unitsClaimed, refund, transactionDigest, checkpoint };
  return [...changes, { table: 'claims', id: String(stackId), row }];
}
