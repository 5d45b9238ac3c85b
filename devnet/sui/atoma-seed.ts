/** Fills a published `atoma` with tasks, nodes and keys, through the same Move functions that wallets call. */
import { type AtomaCall, type AtomaIds, callAtoma, move } from './atoma-deployment.ts';
import { eventLayouts } from './atoma-layouts.ts';
import type { Chain } from './chain.ts';
import type { Executed } from './executed.ts';

export type TaskWanted = {
  readonly model: string;
  /** 0 chat completion, 1 embedding, 2 vision, 3 image generation. */
  readonly role?: number;
  /** 0 none, 1 confidential, 2 sampling. */
  readonly securityLevel?: number;
};

export type SeededNode = {
  readonly owner: string;
  readonly nodeSmallId: bigint;
  readonly badgeId: string;
};

export type Subscription = {
  readonly node: SeededNode;
  readonly taskSmallId: bigint;
  readonly price: bigint;
};

export type Seed = ReturnType<typeof createSeed>;

/** Each method makes one transaction per run of calls by one sender. */
export function createSeed(chain: Chain, atoma: AtomaIds) {
  const { packageId, dbId, managerAddress, managerBadgeId } = atoma;
  const call = (sender: string, functionName: string, values: AtomaCall['values']): AtomaCall => ({
    sender,
    packageId,
    functionName,
    values: [move.object(dbId), ...values],
  });
  const asManager = (functionName: string, values: AtomaCall['values']) =>
    call(managerAddress, functionName, [move.object(managerBadgeId), ...values]);
  const asNode = (node: SeededNode, functionName: string, values: AtomaCall['values']) =>
    call(node.owner, functionName, [move.object(node.badgeId), ...values]);

  return {
    /** Creates public tasks; returns their small ids. */
    createTasks(wanted: readonly TaskWanted[]): bigint[] {
      const calls = wanted.map(({ model, role = 0, securityLevel = 1 }) =>
        asManager('create_task_entry', [
          move.u16(role),
          move.text(model),
          move.optionU16(securityLevel),
          move.optionU8(null),
          move.bool(true),
        ]),
      );
      return contentsOf(callAtoma(chain, calls), 'TaskRegisteredEvent').map((bytes) =>
        BigInt(eventLayouts.TaskRegisteredEvent.parse(bytes).task.inner),
      );
    },
    registerNodes(owners: readonly string[]): SeededNode[] {
      const calls = owners.map((owner) => call(owner, 'register_node_entry', []));
      return contentsOf(callAtoma(chain, calls), 'NodeRegisteredEvent').map((bytes, index) => {
        const { badge, node } = eventLayouts.NodeRegisteredEvent.parse(bytes);
        const owner = owners[index] ?? '';
        return { owner, badgeId: badge, nodeSmallId: BigInt(node.inner) };
      });
    },
    subscribe(subscriptions: readonly Subscription[]): void {
      const calls = subscriptions.map(({ node, taskSmallId, price }) =>
        asNode(node, 'subscribe_node_to_task', [move.u64(taskSmallId), move.u64(price)]),
      );
      callAtoma(chain, calls);
    },
    unsubscribe(node: SeededNode, taskSmallId: bigint): void {
      callAtoma(chain, [asNode(node, 'unsubscribe_node_from_task', [move.u64(taskSmallId)])]);
    },
    /** Starts a new round of keys; returns its counter. */
    rotateNetworkKeys(): bigint {
      const executed = callAtoma(chain, [asManager('new_network_key_rotation', [move.random()])]);
      const [bytes = new Uint8Array()] = contentsOf(executed, 'NewKeyRotationEvent');
      return BigInt(eventLayouts.NewKeyRotationEvent.parse(bytes).counter);
    },
    /** Publishes a node's key under that counter, for an NVIDIA GPU. */
    commitKey(
      node: SeededNode,
      key: {
        readonly publicKey: Uint8Array;
        readonly evidence: Uint8Array;
        readonly counter: bigint;
      },
    ): void {
      const { publicKey, evidence, counter } = key;
      const values = [move.bytes(publicKey), move.bytes(evidence), move.u64(counter)];
      callAtoma(chain, [asNode(node, 'rotate_node_public_key', [...values, move.u16(gpuDevice)])]);
    },
    claim(
      node: SeededNode,
      claim: { readonly stackSmallId: bigint; readonly units: bigint },
    ): void {
      const values = [move.u64s([claim.stackSmallId]), move.u64s([claim.units])];
      callAtoma(chain, [asNode(node, 'claim_funds_for_stacks', values)]);
    },
  };
}

const gpuDevice = 300;

const contentsOf = (executed: readonly Executed[], name: string): Uint8Array[] =>
  executed
    .flatMap(({ events }) => events)
    .filter(({ type }) => type.endsWith(`::${name}`))
    .map(({ contents }) => contents);
