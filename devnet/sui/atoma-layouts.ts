/**
 * BCS layouts of `atoma::db` in Move field order. Written apart from the product's decoders, so that one checks the
 * other.
 */
import { bcs } from '@mysten/sui/bcs';

const u64 = bcs.u64();
const bytes = bcs.byteVector();
const smallId = bcs.struct('SmallId', { inner: u64 });
const level = bcs.struct('Level', { inner: bcs.u16() });
const score = bcs.struct('ReputationScore', { inner: bcs.u8() });
const text = bcs.option(bcs.string());
const table = bcs.struct('Table', { id: bcs.Address, size: u64 });
const tableVector = bcs.struct('TableVec', { contents: table });

export const smallIdLayout = smallId;

/** The objects and table rows. */
export const layouts = {
  AtomaDb: bcs.struct('AtomaDb', {
    id: bcs.Address,
    tickets: bcs.Address,
    nextNode: smallId,
    nextTask: smallId,
    nextStack: smallId,
    nodes: table,
    models: table,
    tasks: table,
    stacks: table,
    settlementTickets: table,
    feeTreasury: u64,
    communalTreasury: u64,
    crossValidationProbabilityPermille: u64,
    crossValidationExtraNodes: u64,
    samplingChargePermille: u64,
    extraNodesChargePermille: u64,
    keyRotationCounter: u64,
    nonce: u64,
    isRegistrationDisabled: bcs.bool(),
    registrationCollateral: u64,
    timeoutSlashPermille: u64,
    disputeOraclePermille: u64,
    disputeHonestNodesPermille: u64,
  }),
  NodeEntry: bcs.struct('NodeEntry', {
    disabledInEpoch: bcs.option(u64),
    collateral: u64,
    lastFeeEpoch: u64,
    lastFeeEpochAmount: u64,
    availableFeeAmount: u64,
    reputation: score,
    rotationCounter: bcs.option(u64),
    updatedEpoch: bcs.option(u64),
    publicKey: bcs.option(bytes),
    deviceTypes: bcs.vector(bcs.u16()),
  }),
  Task: bcs.struct('Task', {
    id: bcs.Address,
    role: level,
    modelName: text,
    isDeprecated: bcs.bool(),
    deprecatedAtEpoch: bcs.option(u64),
    securityLevel: level,
    subscribedNodes: table,
    subscribedNodesList: tableVector,
    minimumReputation: score,
    isPublic: bcs.bool(),
    whitelistedNodes: bcs.vector(smallId),
  }),
  NodePriceData: bcs.struct('NodePriceData', { node: smallId, price: u64, unitsMax: u64 }),
  Stack: bcs.struct('Stack', {
    owner: bcs.Address,
    price: u64,
    units: u64,
    node: smallId,
    task: smallId,
    isClaimed: bcs.bool(),
  }),
  /** NodeBadge, TaskBadge and StackBadge alike. */
  Badge: bcs.struct('Badge', { id: bcs.Address, smallId }),
  AtomaManagerBadge: bcs.struct('AtomaManagerBadge', { id: bcs.Address }),
} as const;

/** The events that the modelled functions emit, by their Move names. */
export const eventLayouts = {
  PublishedEvent: bcs.struct('PublishedEvent', { db: bcs.Address, managerBadge: bcs.Address }),
  NodeRegisteredEvent: bcs.struct('NodeRegisteredEvent', { badge: bcs.Address, node: smallId }),
  NewKeyRotationEvent: bcs.struct('NewKeyRotationEvent', { counter: u64, epoch: u64, nonce: u64 }),
  NodePublicKeyCommittmentEvent: bcs.struct('NodePublicKeyCommittmentEvent', {
    epoch: u64,
    counter: u64,
    node: smallId,
    publicKey: bytes,
    deviceType: bcs.u16(),
    evidence: bytes,
  }),
  NodeSubscribedToTaskEvent: bcs.struct('NodeSubscribedToTaskEvent', {
    task: smallId,
    node: smallId,
    price: u64,
    unitsMax: u64,
  }),
  // The two ids stand the other way round here.
  NodeSubscriptionUpdatedEvent: bcs.struct('NodeSubscriptionUpdatedEvent', {
    node: smallId,
    task: smallId,
    price: u64,
    unitsMax: u64,
  }),
  NodeUnsubscribedFromTaskEvent: bcs.struct('NodeUnsubscribedFromTaskEvent', {
    task: smallId,
    node: smallId,
  }),
  TaskRegisteredEvent: bcs.struct('TaskRegisteredEvent', {
    badge: bcs.Address,
    task: smallId,
    role: level,
    modelName: text,
    securityLevel: level,
    minimumReputation: bcs.option(score),
  }),
  TaskDeprecationEvent: bcs.struct('TaskDeprecationEvent', {
    taskObject: bcs.Address,
    task: smallId,
    epoch: u64,
  }),
  StackCreatedEvent: bcs.struct('StackCreatedEvent', {
    badge: bcs.Address,
    stack: smallId,
    owner: bcs.Address,
    task: smallId,
    node: smallId,
    units: u64,
    price: u64,
  }),
  ClaimedStackEvent: bcs.struct('ClaimedStackEvent', {
    stack: smallId,
    node: smallId,
    claimedUnits: u64,
    refund: u64,
  }),
} as const;
