/** Finds out what became of a transaction: sends the same bytes again, asks for the digest, and proves that it is dead. */
import { type FullNode, FullNodeError } from '../full-node.ts';
import type { ObjectRef, TransactionNode } from '../transaction-node.ts';
import type { Landing } from './decide.ts';
import type { SentTransaction } from './operation.ts';

export type KeeperNode = Pick<FullNode, 'view'> & TransactionNode;

/** Nothing while it may still land. Throws where the node's answer is worth nothing. */
export async function land(options: {
  readonly node: KeeperNode;
  readonly sent: SentTransaction;
  readonly signal: AbortSignal;
}): Promise<Landing | undefined> {
  const { node, sent, signal } = options;
  try {
    return { kind: 'landed', execution: await node.execute(sent, signal) };
  } catch (cause) {
    if (!(cause instanceof FullNodeError && isInDoubt(cause))) throw cause;
  }
  // In this order: what has used the objects up is seen before it is asked whether that was this transaction.
  const isVoid = (await isExpired(options)) || (await isOvertaken(options));
  const execution = await node.transaction(sent.digest, signal);
  if (execution) return { kind: 'landed', execution };
  // A node that has pruned the time since would not know it either.
  const isComplete = isVoid && (await node.view(signal)).lowestCheckpoint <= sent.builtAtHeight;
  return isComplete ? { kind: 'dead' } : undefined;
}

const isInDoubt = ({ kind }: FullNodeError): boolean =>
  kind === 'unavailable' || kind === 'refused' || kind === 'not-found';

type Question = { node: KeeperNode; sent: SentTransaction; signal: AbortSignal };

async function isExpired({ node, sent, signal }: Question): Promise<boolean> {
  return (await node.gasTerms(signal)).epoch > sent.lastEpoch;
}

/** Whether one of its inputs is another version by now, or gone. */
async function isOvertaken({ node, sent, signal }: Question): Promise<boolean> {
  const isUsedUp = async ({ objectId, version }: ObjectRef) => {
    const object = await node.object(objectId, signal);
    return !object || object.ref.version > version;
  };
  for (const input of sent.inputs) if (await isUsedUp(input)) return true;
  return false;
}
