/**
 * A chain for tests: checkpoints with events of the contract and of others, and the objects that the contract would have
 * after them. Its rules are written apart from the indexer's, so that each can prove the other wrong.
 */

import type { ChainEvent } from '../../domain/chain-event.ts';
import {
  type NodeSmallId,
  nodeSmallId,
  type StackSmallId,
  type SuiAddress,
  suiAddress,
  type TaskSmallId,
} from '../../domain/chain-ids.ts';
import type { NodeEntry, NodePrice, StackEntry, Task } from '../../domain/chain-object.ts';
import { encodeEvent, eventName } from '../bcs/events.ts';
import type { LedgerEvent } from '../full-node.ts';

const hex = (value: bigint | number) => value.toString(16).padStart(4, '0');

/** An address that tests can tell by its number. */
export const addressOf = (value: bigint | number): SuiAddress =>
  suiAddress(`0x${hex(value).padStart(64, 'a')}`);

export const definingPackage = addressOf(0xdb);
export const databaseId = addressOf(0xda);
const table = (kind: number, of: bigint) => addressOf(0x1_0000n * BigInt(kind) + of);

/** What a transaction emits: an event of the contract, or bytes under any type. */
export type Emission = ChainEvent | { readonly kind: 'raw'; type: string; contents: Uint8Array };

export type TaskState = { task: Task; prices: Map<NodeSmallId, NodePrice> };

const bareNode: NodeEntry = {
  disabledInEpoch: undefined,
  collateral: 0n,
  lastFeeEpoch: 0n,
  lastFeeEpochAmount: 0n,
  availableFee: 0n,
  reputation: 50,
  keyRotation: undefined,
  keyEpoch: undefined,
  publicKey: undefined,
  deviceTypes: [],
};

type HistoryEntry = {
  readonly event: ChainEvent;
  readonly checkpoint: bigint;
  readonly transactionDigest: string;
};

export class TestLedger {
  height = 0n;
  readonly events: LedgerEvent[] = [];
  readonly history: HistoryEntry[] = [];
  readonly nodes = new Map<NodeSmallId, NodeEntry>();
  readonly tasks = new Map<TaskSmallId, TaskState>();
  readonly stacks = new Map<StackSmallId, StackEntry>();
  readonly tickets = new Set<StackSmallId>();
  rotation = { rotation: 0n, nonce: 7n };
  next = { node: 1n, task: 1n, stack: 1n };
  readonly #waiting = new Set<() => void>();

  /** Executes one checkpoint; each inner list is a transaction, each emission is decided when its turn comes. */
  execute(...transactions: readonly (readonly (Emission | (() => Emission))[])[]): bigint {
    this.height += 1n;
    for (const [index, emissions] of transactions.entries()) {
      for (const [event, emission] of emissions.entries()) {
        const position = { checkpoint: this.height, transaction: BigInt(index), event };
        const transactionDigest = `tx-${this.height}-${index}`;
        const said = typeof emission === 'function' ? emission() : emission;
        const emitted = this.#emit(said, transactionDigest);
        this.events.push({ ...emitted, transactionDigest, position });
      }
    }
    for (const wake of [...this.#waiting]) wake();
    return this.height;
  }

  /** Resolves at the next checkpoint, or where the signal ends the wait. */
  nextCheckpoint(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #emit(emission: Emission, transactionDigest: string) {
    if (emission.kind === 'raw') return { type: emission.type, contents: emission.contents };
    this.#apply(emission);
    this.history.push({ event: emission, checkpoint: this.height, transactionDigest });
    const type = `${definingPackage}::db::${eventName(emission.kind)}`;
    return { type, contents: encodeEvent(emission) };
  }

  #apply(event: ChainEvent): void {
    switch (event.kind) {
      case 'node-registered':
        this.nodes.set(event.nodeId, bareNode);
        this.next.node = event.nodeId + 1n;
        return;
      case 'task-registered':
        this.tasks.set(event.taskId, { task: taskFrom(event), prices: new Map() });
        this.next.task = event.taskId + 1n;
        return;
      case 'stack-created': {
        const { owner, pricePerMillion, units, nodeId, taskId } = event;
        const stack = { owner, pricePerMillion, units, nodeId, taskId, isClaimed: false };
        this.stacks.set(event.stackId, stack);
        this.next.stack = event.stackId + 1n;
        return;
      }
      case 'key-rotation-started':
        this.rotation = { rotation: event.rotation, nonce: event.nonce };
        return;
      case 'node-key-committed':
        this.#commitKey(event);
        return;
      case 'stack-claimed':
        this.#claim(event.stackId);
        return;
      case 'stack-settling':
        this.tickets.add(event.stackId);
        return;
      case 'settlement-ticket-claimed':
        this.tickets.delete(event.stackId);
        this.stacks.delete(event.stackId);
        return;
      default:
        this.#applyToTask(event);
    }
  }

  #applyToTask(event: ChainEvent): void {
    if (!('taskId' in event)) return;
    const state = this.tasks.get(event.taskId);
    if (!state) throw new Error(`no task ${event.taskId}`);
    if (event.kind === 'node-subscribed' || event.kind === 'node-subscription-updated') {
      const { nodeId, pricePerMillion, unitsMax } = event;
      state.prices.set(nodeId, { nodeId, pricePerMillion, unitsMax });
    }
    if (event.kind === 'node-unsubscribed') state.prices.delete(event.nodeId);
    if (event.kind === 'task-deprecated') {
      state.task = { ...state.task, isDeprecated: true, deprecatedAtEpoch: event.epoch };
    }
    if (event.kind === 'task-removed') this.tasks.delete(event.taskId);
  }

  /** A node that commits again under one rotation keeps its stored key: the contract does so. */
  #commitKey(event: ChainEvent & { kind: 'node-key-committed' }): void {
    const node = this.nodes.get(event.nodeId) ?? bareNode;
    const { rotation, epoch, publicKey, deviceType } = event;
    const isKnown = node.keyRotation === rotation;
    const key = isKnown ? {} : { keyRotation: rotation, publicKey, deviceTypes: [deviceType] };
    this.nodes.set(event.nodeId, { ...node, ...key, keyEpoch: epoch });
  }

  #claim(stackId: StackSmallId): void {
    const stack = this.stacks.get(stackId);
    if (!stack) throw new Error(`no stack ${stackId}`);
    this.stacks.set(stackId, { ...stack, isClaimed: true });
  }
}

function taskFrom(event: ChainEvent & { kind: 'task-registered' }): Task {
  const { taskId, role, model, securityLevel } = event;
  return {
    objectId: table(4, taskId),
    role,
    model,
    isDeprecated: false,
    deprecatedAtEpoch: undefined,
    securityLevel,
    subscriptions: { id: table(5, taskId), size: 0n },
    subscribedNodes: { id: table(6, taskId), size: 0n },
    reputationMin: event.reputationMin ?? 0,
    isPublic: true,
    whitelist: [],
  };
}

/** The ids of the contract's tables. */
export const tables = {
  nodes: table(1, 1n),
  models: table(1, 2n),
  tasks: table(1, 3n),
  stacks: table(1, 4n),
  tickets: table(1, 5n),
};

/** A node registers in each of so many checkpoints. */
export function registerNodes(ledger: TestLedger, checkpoints: number): void {
  for (let checkpoint = 0; checkpoint < checkpoints; checkpoint += 1) {
    const id = ledger.next.node;
    ledger.execute([{ kind: 'node-registered', badgeId: addressOf(id), nodeId: nodeSmallId(id) }]);
  }
}
