/** Codecs of all events of `atoma::db`: the order of the fields is the order of the bytes (Atoma on Sui, section 6). */
import { type BcsType, bcs } from '@mysten/sui/bcs';
import type {
  ChainEvent,
  ChainEventFields,
  ChainEventKind,
  ChainEventOf,
} from '../../domain/chain-event.ts';
import { decodeExact } from './exact.ts';
import {
  address,
  ascii,
  bytes,
  nodeId,
  nodeIds,
  optional,
  stackId,
  taskId,
  u64,
} from './fields.ts';

const { u8, u16, struct } = bcs;
const taskObject = { objectId: address, taskId };
const offer = { pricePerMillion: u64, unitsMax: u64 };

type Variant<Kind extends ChainEventKind> = {
  readonly codec: BcsType<ChainEventFields[Kind], ChainEventFields[Kind]>;
  readonly decode: (contents: Uint8Array) => ChainEventOf<Kind>;
};

const variants: { readonly [Kind in ChainEventKind]: Variant<Kind> } = {
  published: variant(
    'published',
    struct('PublishedEvent', { databaseId: address, managerBadgeId: address }),
  ),
  'node-registered': variant(
    'node-registered',
    struct('NodeRegisteredEvent', { badgeId: address, nodeId }),
  ),
  'key-rotation-started': variant(
    'key-rotation-started',
    struct('NewKeyRotationEvent', { rotation: u64, epoch: u64, nonce: u64 }),
  ),
  'node-key-committed': variant(
    'node-key-committed',
    struct('NodePublicKeyCommittmentEvent', {
      epoch: u64,
      rotation: u64,
      nodeId,
      publicKey: bytes,
      deviceType: u16(),
      evidence: bytes,
    }),
  ),
  'node-subscribed': variant(
    'node-subscribed',
    struct('NodeSubscribedToTaskEvent', { taskId, nodeId, ...offer }),
  ),
  // Task and node stand the other way round here; both are u64, so a mix-up would decode.
  'node-subscription-updated': variant(
    'node-subscription-updated',
    struct('NodeSubscriptionUpdatedEvent', { nodeId, taskId, ...offer }),
  ),
  'node-unsubscribed': variant(
    'node-unsubscribed',
    struct('NodeUnsubscribedFromTaskEvent', { taskId, nodeId }),
  ),
  'node-subscribed-to-model': variant(
    'node-subscribed-to-model',
    struct('NodeSubscribedToModelEvent', {
      nodeId,
      model: ascii,
      echelonId: u64,
    }),
  ),
  'task-registered': variant(
    'task-registered',
    struct('TaskRegisteredEvent', {
      ...taskObject,
      role: u16(),
      model: optional(ascii),
      securityLevel: u16(),
      reputationMin: optional(u8()),
    }),
  ),
  'task-deprecated': variant(
    'task-deprecated',
    struct('TaskDeprecationEvent', { ...taskObject, epoch: u64 }),
  ),
  'task-removed': variant(
    'task-removed',
    struct('TaskRemovedEvent', { ...taskObject, epoch: u64 }),
  ),
  'stack-created': variant(
    'stack-created',
    struct('StackCreatedEvent', {
      badgeId: address,
      stackId,
      owner: address,
      taskId,
      nodeId,
      units: u64,
      pricePerMillion: u64,
    }),
  ),
  'stack-settling': variant(
    'stack-settling',
    struct('StackTrySettleEvent', {
      stackId,
      nodeId,
      attestingNodes: nodeIds,
      proof: bytes,
      leaf: bytes,
      unitsClaimed: u64,
    }),
  ),
  'settlement-attested': variant(
    'settlement-attested',
    struct('NewStackSettlementAttestationEvent', {
      stackId,
      attestingNodeId: nodeId,
      proof: bytes,
      leaf: bytes,
    }),
  ),
  'settlement-ticket-issued': variant(
    'settlement-ticket-issued',
    struct('StackSettlementTicketEvent', {
      stackId,
      nodeId,
      unitsClaimed: u64,
      attestingNodes: nodeIds,
      settledAtEpoch: u64,
      proof: bytes,
    }),
  ),
  'settlement-ticket-claimed': variant(
    'settlement-ticket-claimed',
    struct('StackSettlementTicketClaimedEvent', {
      stackId,
      nodeId,
      attestingNodes: nodeIds,
      unitsClaimed: u64,
      refund: u64,
    }),
  ),
  'settlement-disputed': variant(
    'settlement-disputed',
    struct('StackAttestationDisputeEvent', {
      stackId,
      attestedProof: bytes,
      attestingNodeId: nodeId,
      nodeId,
      proof: bytes,
    }),
  ),
  'stack-claimed': variant(
    'stack-claimed',
    struct('ClaimedStackEvent', { stackId, nodeId, unitsClaimed: u64, refund: u64 }),
  ),
};

function variant<Kind extends ChainEventKind>(
  kind: Kind,
  fields: BcsType<ChainEventFields[Kind], ChainEventFields[Kind]>,
): Variant<Kind> {
  return { codec: fields, decode: (contents) => ({ kind, ...decodeExact(fields, contents) }) };
}

/** The Move name of an event. */
export const eventName = (kind: ChainEventKind): string => variants[kind].codec.name;

/** Decodes the contents of an event of that kind; throws where they are not exactly one. */
export function decodeEvent(kind: ChainEventKind, contents: Uint8Array): ChainEvent {
  return variants[kind].decode(contents);
}

/** The contents of an event as the chain writes them. */
export function encodeEvent(event: ChainEvent): Uint8Array {
  return encode(event.kind, event);
}

function encode<Kind extends ChainEventKind>(kind: Kind, fields: ChainEventFields[Kind]) {
  return variants[kind].codec.serialize(fields).toBytes();
}
