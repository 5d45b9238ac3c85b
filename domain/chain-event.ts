/**
 * What the Atoma contract tells: the 18 events of `atoma::db` as one closed union. Prices are in 10⁻⁶ USDC per million
 * compute units; digests, keys and proofs are bytes.
 */
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from './chain-ids.ts';

type TaskObject = { readonly objectId: SuiAddress; readonly taskId: TaskSmallId };
type Offer = {
  readonly taskId: TaskSmallId;
  readonly nodeId: NodeSmallId;
  readonly pricePerMillion: bigint;
  readonly unitsMax: bigint;
};
type StackOfNode = { readonly stackId: StackSmallId; readonly nodeId: NodeSmallId };
type Claim = StackOfNode & { readonly unitsClaimed: bigint; readonly refund: bigint };

/** The fields of each kind of event. */
export type ChainEventFields = {
  readonly published: { readonly databaseId: SuiAddress; readonly managerBadgeId: SuiAddress };
  readonly 'node-registered': { readonly badgeId: SuiAddress; readonly nodeId: NodeSmallId };
  readonly 'key-rotation-started': {
    readonly rotation: bigint;
    readonly epoch: bigint;
    readonly nonce: bigint;
  };
  readonly 'node-key-committed': {
    readonly epoch: bigint;
    readonly rotation: bigint;
    readonly nodeId: NodeSmallId;
    readonly publicKey: Uint8Array;
    readonly deviceType: number;
    readonly evidence: Uint8Array;
  };
  readonly 'node-subscribed': Offer;
  readonly 'node-subscription-updated': Offer;
  readonly 'node-unsubscribed': { readonly taskId: TaskSmallId; readonly nodeId: NodeSmallId };
  /** Legacy: from before tasks. */
  readonly 'node-subscribed-to-model': {
    readonly nodeId: NodeSmallId;
    readonly model: string;
    readonly echelonId: bigint;
  };
  /** `objectId` is the badge's here and the task's own in the next two: only `taskId` names a task. */
  readonly 'task-registered': TaskObject & {
    readonly role: number;
    readonly model: string | undefined;
    readonly securityLevel: number;
    readonly reputationMin: number | undefined;
  };
  readonly 'task-deprecated': TaskObject & { readonly epoch: bigint };
  readonly 'task-removed': TaskObject & { readonly epoch: bigint };
  readonly 'stack-created': StackOfNode & {
    readonly badgeId: SuiAddress;
    readonly owner: SuiAddress;
    readonly taskId: TaskSmallId;
    readonly units: bigint;
    readonly pricePerMillion: bigint;
  };
  readonly 'stack-settling': StackOfNode & {
    readonly attestingNodes: readonly NodeSmallId[];
    readonly proof: Uint8Array;
    readonly leaf: Uint8Array;
    readonly unitsClaimed: bigint;
  };
  readonly 'settlement-attested': {
    readonly stackId: StackSmallId;
    readonly attestingNodeId: NodeSmallId;
    readonly proof: Uint8Array;
    readonly leaf: Uint8Array;
  };
  readonly 'settlement-ticket-issued': StackOfNode & {
    readonly unitsClaimed: bigint;
    readonly attestingNodes: readonly NodeSmallId[];
    readonly settledAtEpoch: bigint;
    readonly proof: Uint8Array;
  };
  readonly 'settlement-ticket-claimed': Claim & { readonly attestingNodes: readonly NodeSmallId[] };
  readonly 'settlement-disputed': {
    readonly stackId: StackSmallId;
    readonly attestedProof: Uint8Array;
    readonly attestingNodeId: NodeSmallId;
    readonly nodeId: NodeSmallId;
    readonly proof: Uint8Array;
  };
  readonly 'stack-claimed': Claim;
};

export const chainEventKinds = [
  'published',
  'node-registered',
  'key-rotation-started',
  'node-key-committed',
  'node-subscribed',
  'node-subscription-updated',
  'node-unsubscribed',
  'node-subscribed-to-model',
  'task-registered',
  'task-deprecated',
  'task-removed',
  'stack-created',
  'stack-settling',
  'settlement-attested',
  'settlement-ticket-issued',
  'settlement-ticket-claimed',
  'settlement-disputed',
  'stack-claimed',
] as const satisfies readonly (keyof ChainEventFields)[];

export type ChainEventKind = keyof ChainEventFields;
export type ChainEventOf<Kind extends ChainEventKind> = {
  readonly kind: Kind;
} & ChainEventFields[Kind];
export type ChainEvent = { [Kind in ChainEventKind]: ChainEventOf<Kind> }[ChainEventKind];
