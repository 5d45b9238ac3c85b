/** The functions of `atoma::db` that can be called: signature as Move declares it, and the state change. */
import {
  registerNodeEntry,
  rotateNodePublicKey,
  subscribeNodeToTask,
  unsubscribeNodeFromTask,
  updateNodeSubscription,
} from './atoma-nodes.ts';
import { acquireNewStackEntry, claimFundsForStacks } from './atoma-stacks.ts';
import { createTaskEntry, deprecateTask, newNetworkKeyRotation } from './atoma-tasks.ts';
import type { MoveContext } from './move-context.ts';

/** A parameter without the transaction context, which is implied. */
export type Parameter =
  | 'u16'
  | 'u64'
  | 'bool'
  | 'vector<u8>'
  | 'vector<u64>'
  | 'Option<String>'
  | 'Option<u16>'
  | 'Option<u8>'
  | '&Random'
  | '&mut Coin'
  | '&mut AtomaDb'
  | '&NodeBadge'
  | '&mut NodeBadge'
  | '&TaskBadge'
  | '&AtomaManagerBadge';

export type MoveFunction = {
  readonly isPublic: boolean;
  readonly parameters: readonly Parameter[];
  readonly run: (context: MoveContext) => void;
};

const subscription = ['&mut AtomaDb', '&mut NodeBadge', 'u64', 'u64'] as const;

export const moveFunctions: ReadonlyMap<string, MoveFunction> = new Map<string, MoveFunction>([
  ['register_node_entry', { isPublic: true, parameters: ['&mut AtomaDb'], run: registerNodeEntry }],
  [
    'subscribe_node_to_task',
    { isPublic: true, parameters: subscription, run: subscribeNodeToTask },
  ],
  [
    'update_node_subscription',
    { isPublic: true, parameters: subscription, run: updateNodeSubscription },
  ],
  [
    'unsubscribe_node_from_task',
    {
      isPublic: true,
      parameters: ['&mut AtomaDb', '&mut NodeBadge', 'u64'],
      run: unsubscribeNodeFromTask,
    },
  ],
  [
    'rotate_node_public_key',
    {
      isPublic: true,
      parameters: ['&mut AtomaDb', '&mut NodeBadge', 'vector<u8>', 'vector<u8>', 'u64', 'u16'],
      run: rotateNodePublicKey,
    },
  ],
  [
    'acquire_new_stack_entry',
    {
      isPublic: false,
      parameters: ['&mut AtomaDb', '&mut Coin', 'u64', 'u64', 'u64', '&Random'],
      run: acquireNewStackEntry,
    },
  ],
  [
    'claim_funds_for_stacks',
    {
      isPublic: true,
      parameters: ['&mut AtomaDb', '&NodeBadge', 'vector<u64>', 'vector<u64>'],
      run: claimFundsForStacks,
    },
  ],
  [
    'create_task_entry',
    {
      isPublic: true,
      parameters: [
        '&mut AtomaDb',
        '&AtomaManagerBadge',
        'u16',
        'Option<String>',
        'Option<u16>',
        'Option<u8>',
        'bool',
      ],
      run: createTaskEntry,
    },
  ],
  [
    'deprecate_task',
    { isPublic: true, parameters: ['&mut AtomaDb', '&TaskBadge'], run: deprecateTask },
  ],
  [
    'new_network_key_rotation',
    {
      isPublic: false,
      parameters: ['&mut AtomaDb', '&AtomaManagerBadge', '&Random'],
      run: newNetworkKeyRotation,
    },
  ],
]);

/** Whether a call draws from Random, after which only merges and transfers may follow. */
export const takesRandom = ({ parameters }: MoveFunction) => parameters.includes('&Random');

const reference = /^&(mut )?(\w+)$/;

/** The object that a parameter wants; nothing where it wants a pure value. */
export function objectWanted(
  parameter: Parameter,
): { readonly name: string; readonly isMutable: boolean } | undefined {
  const match = reference.exec(parameter);
  return match ? { name: match[2] ?? '', isMutable: match[1] !== undefined } : undefined;
}
