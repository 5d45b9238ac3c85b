/** A random life of the contract: whatever may happen next, given what has happened, with poison and impostors in between. */
import type { ChainEvent } from '../../domain/chain-event.ts';
import {
  nodeSmallId,
  type StackSmallId,
  type SuiAddress,
  stackSmallId,
  taskSmallId,
} from '../../domain/chain-ids.ts';
import { encodeEvent, eventName } from '../bcs/events.ts';
import { addressOf, definingPackage, type Emission, type TestLedger } from './ledger.ts';
import type { Random } from './random.ts';

type Life = {
  readonly ledger: TestLedger;
  readonly random: Random;
  readonly owner: SuiAddress;
  /** A stack that is deleted while the objects are read leaves no trace of its owner. */
  mayDelete: boolean;
};
type Act = (life: Life) => Emission | undefined;

const unitsMax = 1_000_000n;

/** Executes one checkpoint of up to three transactions. */
export function liveOn(life: Life): void {
  const { ledger, random } = life;
  const transactions = Array.from({ length: random.below(4) }, () =>
    Array.from({ length: 1 + random.below(3) }, () => () => actOf(life)),
  );
  ledger.execute(...transactions);
}

function actOf(life: Life): Emission {
  for (;;) {
    const emission = (life.random.pick(acts) ?? registerNode)(life);
    if (emission) return emission;
  }
}

const registerNode: Act = ({ ledger }) => ({
  kind: 'node-registered',
  badgeId: addressOf(ledger.next.node),
  nodeId: nodeSmallId(ledger.next.node),
});

const registerTask: Act = ({ ledger, random }) => ({
  kind: 'task-registered',
  objectId: addressOf(0x7a),
  taskId: taskSmallId(ledger.next.task),
  role: random.below(2),
  model: random.below(5) === 0 ? undefined : `model-${random.below(4)}`,
  securityLevel: random.below(2),
  reputationMin: random.below(2) === 0 ? undefined : random.below(50),
});

const subscribe: Act = ({ ledger, random }) => {
  const taskId = random.pick(ledger.tasks.keys());
  const nodeId = random.pick(ledger.nodes.keys());
  if (taskId === undefined || nodeId === undefined) return undefined;
  const isKnown = ledger.tasks.get(taskId)?.prices.has(nodeId);
  const kind = isKnown ? 'node-subscription-updated' : 'node-subscribed';
  return { kind, taskId, nodeId, pricePerMillion: BigInt(1 + random.below(9999)), unitsMax };
};

const unsubscribe: Act = ({ ledger, random }) => {
  const taskId = random.pick(ledger.tasks.keys());
  if (taskId === undefined) return undefined;
  const nodeId = random.pick(ledger.tasks.get(taskId)?.prices.keys() ?? []);
  return nodeId === undefined ? undefined : { kind: 'node-unsubscribed', taskId, nodeId };
};

const endTask: Act = ({ ledger, random }) => {
  const taskId = random.pick(ledger.tasks.keys());
  if (taskId === undefined || random.below(3) > 0) return undefined;
  const isDeprecated = ledger.tasks.get(taskId)?.task.isDeprecated;
  const kind = isDeprecated ? 'task-removed' : 'task-deprecated';
  return { kind, objectId: addressOf(0x7b), taskId, epoch: ledger.height / 10n };
};

const createStack: Act = ({ ledger, random, owner }) => {
  const taskId = random.pick(ledger.tasks.keys());
  const nodeId = random.pick(ledger.nodes.keys());
  if (taskId === undefined || nodeId === undefined) return undefined;
  return {
    kind: 'stack-created',
    badgeId: addressOf(0x5b),
    stackId: stackSmallId(ledger.next.stack),
    owner: random.below(3) === 0 ? addressOf(0xe) : owner,
    taskId,
    nodeId,
    units: BigInt(1 + random.below(1_000_000)),
    pricePerMillion: BigInt(1 + random.below(9999)),
  };
};

const settleStack: Act = ({ ledger, random, mayDelete }) => {
  const stackId = random.pick(ledger.stacks.keys());
  const stack = stackId && ledger.stacks.get(stackId);
  if (!stackId || !stack || stack.isClaimed) return undefined;
  const { nodeId } = stack;
  const unitsClaimed = stack.units / 2n;
  const proof = new Uint8Array(32);
  if (!ledger.tickets.has(stackId)) {
    if (random.below(3) > 0)
      return { kind: 'stack-claimed', stackId, nodeId, unitsClaimed, refund: 1n };
    return {
      kind: 'stack-settling',
      stackId,
      nodeId,
      attestingNodes: [],
      proof,
      leaf: proof,
      unitsClaimed,
    };
  }
  return mayDelete ? endTicket({ stackId, nodeId, unitsClaimed, proof, random }) : undefined;
};

function endTicket(options: {
  stackId: StackSmallId;
  nodeId: ReturnType<typeof nodeSmallId>;
  unitsClaimed: bigint;
  proof: Uint8Array;
  random: Random;
}): Emission {
  const { stackId, nodeId, unitsClaimed, proof, random } = options;
  const attestingNodeId = nodeSmallId(99n);
  if (random.below(3) === 0) {
    return {
      kind: 'settlement-disputed',
      stackId,
      attestedProof: proof,
      attestingNodeId,
      nodeId,
      proof,
    };
  }
  const claim = { stackId, nodeId, unitsClaimed, refund: 2n };
  return { kind: 'settlement-ticket-claimed', ...claim, attestingNodes: [attestingNodeId] };
}

const commitKey: Act = ({ ledger, random }) => {
  const nodeId = random.pick(ledger.nodes.keys());
  if (nodeId === undefined) return undefined;
  const { rotation } = ledger.rotation;
  const publicKey = Uint8Array.from({ length: 32 }, () => random.below(256));
  const evidence = new Uint8Array(random.below(100));
  const epoch = ledger.height / 10n;
  return {
    kind: 'node-key-committed',
    epoch,
    rotation,
    nodeId,
    publicKey,
    deviceType: 300,
    evidence,
  };
};

const rotateKeys: Act = ({ ledger, random }) =>
  random.below(4) > 0
    ? undefined
    : {
        kind: 'key-rotation-started',
        rotation: ledger.rotation.rotation + 1n,
        epoch: ledger.height / 10n,
        nonce: BigInt(random.below(1_000_000)),
      };

/** An event of the same name and layout, of another package: a stack for us that does not exist. */
const impersonate: Act = (life) => {
  const event = createStack({ ...life, random: life.random });
  if (!event || event.kind === 'raw') return undefined;
  return raw(`${addressOf(0xbad)}::db::${eventName(event.kind)}`, encodeEvent(event));
};

/** Of the contract's own type, and cut short. */
const poison: Act = ({ ledger, random, owner }) => {
  if (random.below(3) > 0) return undefined;
  const event: ChainEvent = {
    kind: 'node-unsubscribed',
    taskId: taskSmallId(ledger.next.task),
    nodeId: nodeSmallId(1n),
  };
  const type = `${definingPackage}::db::${eventName(random.below(2) ? 'stack-created' : event.kind)}`;
  return raw(type, encodeEvent(event).subarray(0, 8 + (owner.length % 5)));
};

const raw = (type: string, contents: Uint8Array) => ({ kind: 'raw', type, contents }) as const;

const acts: readonly Act[] = [
  registerNode,
  registerTask,
  subscribe,
  subscribe,
  subscribe,
  unsubscribe,
  endTask,
  createStack,
  createStack,
  settleStack,
  settleStack,
  commitKey,
  rotateKeys,
  impersonate,
  poison,
];
