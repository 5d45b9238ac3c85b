/** The structs of `atoma::db` as Move declares them, for those who ask the node about types. */

/** Field types are written short: `ID`, `Table<K,V>` and so on stand for the framework's. */
export type Datatype = {
  readonly name: string;
  readonly abilities: 'key' | 'key, store' | 'store' | 'copy, drop' | 'copy, drop, store';
  readonly fields: readonly { readonly name: string; readonly type: string }[];
};

const event = 'copy, drop';

export const datatypes: readonly Datatype[] = [
  struct('NodeSmallId', 'copy, drop, store', 'inner u64'),
  struct('TaskSmallId', 'copy, drop, store', 'inner u64'),
  struct('StackSmallId', 'copy, drop, store', 'inner u64'),
  struct('TaskRole', 'copy, drop, store', 'inner u16'),
  struct('SecurityLevel', 'copy, drop, store', 'inner u16'),
  struct('ReputationScore', 'copy, drop, store', 'inner u8'),
  struct('NodeBadge', 'key, store', 'id UID', 'small_id NodeSmallId'),
  struct('TaskBadge', 'key, store', 'id UID', 'small_id TaskSmallId'),
  struct('StackBadge', 'key, store', 'id UID', 'small_id StackSmallId'),
  struct('AtomaManagerBadge', 'key, store', 'id UID'),
  struct(
    'Stack',
    'store',
    'owner address',
    'price_per_one_million_compute_units u64',
    'num_compute_units u64',
    'selected_node_id NodeSmallId',
    'task_small_id TaskSmallId',
    'is_claimed bool',
  ),
  struct(
    'NodePriceData',
    'store',
    'node_id NodeSmallId',
    'price_per_one_million_compute_units u64',
    'max_num_compute_units u64',
  ),
  struct('NodeRegisteredEvent', event, 'badge_id ID', 'node_small_id NodeSmallId'),
  struct(
    'NodeSubscribedToTaskEvent',
    event,
    'task_small_id TaskSmallId',
    'node_small_id NodeSmallId',
    'price_per_one_million_compute_units u64',
    'max_num_compute_units u64',
  ),
  struct(
    'NodeSubscriptionUpdatedEvent',
    event,
    'node_small_id NodeSmallId',
    'task_small_id TaskSmallId',
    'price_per_one_million_compute_units u64',
    'max_num_compute_units u64',
  ),
  struct(
    'NodeUnsubscribedFromTaskEvent',
    event,
    'task_small_id TaskSmallId',
    'node_small_id NodeSmallId',
  ),
  struct(
    'NodePublicKeyCommittmentEvent',
    event,
    'epoch u64',
    'key_rotation_counter u64',
    'node_id NodeSmallId',
    'new_public_key vector<u8>',
    'device_type u16',
    'evidence_bytes vector<u8>',
  ),
  struct('NewKeyRotationEvent', event, 'key_rotation_counter u64', 'epoch u64', 'nonce u64'),
  struct(
    'TaskRegisteredEvent',
    event,
    'task_id ID',
    'task_small_id TaskSmallId',
    'role TaskRole',
    'model_name Option<String>',
    'security_level SecurityLevel',
    'minimum_reputation_score Option<u8>',
  ),
  struct('TaskDeprecationEvent', event, 'task_id ID', 'task_small_id TaskSmallId', 'epoch u64'),
  struct(
    'StackCreatedEvent',
    event,
    'stack_id ID',
    'stack_small_id StackSmallId',
    'owner address',
    'task_small_id TaskSmallId',
    'selected_node_id NodeSmallId',
    'num_compute_units u64',
    'price_per_one_million_compute_units u64',
  ),
  struct(
    'ClaimedStackEvent',
    event,
    'stack_small_id StackSmallId',
    'selected_node_id NodeSmallId',
    'num_claimed_compute_units u64',
    'user_refund_amount u64',
  ),
  struct('PublishedEvent', event, 'db ID', 'manager_badge ID'),
];

function struct(
  name: string,
  abilities: Datatype['abilities'],
  ...fields: readonly string[]
): Datatype {
  const split = fields.map((field) => {
    const [fieldName = '', type = ''] = field.split(' ');
    return { name: fieldName, type };
  });
  return { name, abilities, fields: split };
}
