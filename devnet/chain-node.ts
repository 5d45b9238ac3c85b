/** What an Atoma node does on the chain with its own key: it registers, subscribes, publishes its sealing key, and claims; each a signed transaction. */
import { type Argument, Transaction } from '@mysten/sui/transactions';
import type { EventTypes } from '../chain/bcs/event-types.ts';
import type { ChainIds } from '../chain/client.ts';
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from '../domain/chain-ids.ts';
import { type SuiConnection, signAndSend, toKeypair } from './sui/wallet.ts';

/** What a node is on the chain; whoever holds the badge owns the node. */
export type NodeIdentity = { readonly nodeId: NodeSmallId; readonly badgeId: SuiAddress };

export type Subscription = {
  readonly taskId: TaskSmallId;
  /** In millionths of a USDC, per million compute units. */
  readonly pricePerMillion: bigint;
};

export type KeyCommitment = {
  readonly publicKey: Uint8Array;
  readonly evidence: Uint8Array;
  readonly counter: bigint;
};

/** An NVIDIA GPU (Atoma on Sui, section 7). */
const gpuDevice = 300;

export type StackClaim = { readonly stackId: StackSmallId; readonly units: bigint };

/** The wallet must hold gas. Transactions follow one another: each uses up the version of the coin that the last one left. */
export function createChainNode(options: {
  readonly connection: SuiConnection;
  readonly keystoreEntry: string;
  readonly ids: ChainIds;
  readonly types: EventTypes;
}) {
  const { connection, ids, types } = options;
  const key = toKeypair(options.keystoreEntry);

  let last: Promise<unknown> = Promise.resolve();

  /** Throws where the node does not answer, and where the contract refuses. */
  function send(tx: Transaction): ReturnType<typeof sendNow> {
    const sending = last.then(() => sendNow(tx));
    last = sending.catch(() => undefined);
    return sending;
  }

  async function sendNow(tx: Transaction) {
    tx.setSender(key.toSuiAddress());
    const { Transaction: executed } = await signAndSend(connection.client, { tx, key });
    if (!executed) throw new Error('the transaction was refused');
    return executed;
  }

  function call(tx: Transaction, functionName: string, values: readonly Argument[]): void {
    const target = `${ids.definingPackage}::db::${functionName}`;
    tx.moveCall({ target, arguments: [tx.object(ids.databaseId), ...values] });
  }

  return {
    async register(): Promise<NodeIdentity> {
      const tx = new Transaction();
      call(tx, 'register_node_entry', []);
      const { events } = await send(tx);
      for (const { eventType, bcs } of events) {
        const reading = types.read(eventType, bcs);
        if (reading.kind === 'event' && reading.event.kind === 'node-registered') {
          return reading.event;
        }
      }
      throw new Error('registering gives no node');
    },

    async subscribe(
      { badgeId }: NodeIdentity,
      subscriptions: readonly Subscription[],
    ): Promise<void> {
      const tx = new Transaction();
      for (const { taskId, pricePerMillion } of subscriptions) {
        const values = [tx.object(badgeId), tx.pure.u64(taskId), tx.pure.u64(pricePerMillion)];
        call(tx, 'subscribe_node_to_task', values);
      }
      await send(tx);
    },

    /** Publishes the key to which requests are sealed, under the network's present round of keys. */
    async commitKey(
      { badgeId }: NodeIdentity,
      { publicKey, evidence, counter }: KeyCommitment,
    ): Promise<void> {
      const tx = new Transaction();
      const values = [
        tx.object(badgeId),
        tx.pure.vector('u8', publicKey),
        tx.pure.vector('u8', evidence),
        tx.pure.u64(counter),
        tx.pure.u16(gpuDevice),
      ];
      call(tx, 'rotate_node_public_key', values);
      await send(tx);
    },

    /** Asks for the money of a stack; the rest goes back to its owner, and the stack is closed. */
    async claim({ badgeId }: NodeIdentity, { stackId, units }: StackClaim): Promise<void> {
      const tx = new Transaction();
      const values = [
        tx.object(badgeId),
        tx.pure.vector('u64', [stackId]),
        tx.pure.vector('u64', [units]),
      ];
      call(tx, 'claim_funds_for_stacks', values);
      await send(tx);
    },
  };
}
