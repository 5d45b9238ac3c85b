/** Codecs of the contract's objects and table rows: the order of the fields is the order of the bytes. */
import { type BcsType, bcs } from '@mysten/sui/bcs';
import type {
  AtomaDatabase,
  NodeBadge,
  NodeEntry,
  NodePrice,
  StackBadge,
  StackEntry,
  Task,
} from '../../domain/chain-object.ts';
import {
  address,
  ascii,
  bytes,
  listOf,
  nodeId,
  nodeIds,
  optional,
  stackId,
  table,
  taskId,
  u64,
} from './fields.ts';

type Codec<Value> = BcsType<Value, Value>;

const { bool, u8, u16, struct } = bcs;

export const atomaDatabase: Codec<AtomaDatabase> = struct('AtomaDb', {
  id: address,
  ticketsId: address,
  nextNodeId: u64,
  nextTaskId: u64,
  nextStackId: u64,
  nodes: table,
  models: table,
  tasks: table,
  stacks: table,
  settlementTickets: table,
  feeTreasury: u64,
  communalTreasury: u64,
  validationProbabilityPermille: u64,
  validationExtraNodes: u64,
  samplingChargePermille: u64,
  extraNodesChargePermille: u64,
  rotation: u64,
  nonce: u64,
  registrationDisabled: bool(),
  registrationCollateral: u64,
  timeoutSlashPermille: u64,
  disputeOraclePermille: u64,
  disputeHonestNodesPermille: u64,
});

export const nodeEntry: Codec<NodeEntry> = struct('NodeEntry', {
  disabledInEpoch: optional(u64),
  collateral: u64,
  lastFeeEpoch: u64,
  lastFeeEpochAmount: u64,
  availableFee: u64,
  reputation: u8(),
  keyRotation: optional(u64),
  keyEpoch: optional(u64),
  publicKey: optional(bytes),
  deviceTypes: listOf(u16()),
});

export const task: Codec<Task> = struct('Task', {
  objectId: address,
  role: u16(),
  model: optional(ascii),
  isDeprecated: bool(),
  deprecatedAtEpoch: optional(u64),
  securityLevel: u16(),
  subscriptions: table,
  subscribedNodes: table,
  reputationMin: u8(),
  isPublic: bool(),
  whitelist: nodeIds,
});

export const nodePrice: Codec<NodePrice> = struct('NodePriceData', {
  nodeId,
  pricePerMillion: u64,
  unitsMax: u64,
});

export const stackEntry: Codec<StackEntry> = struct('Stack', {
  owner: address,
  pricePerMillion: u64,
  units: u64,
  nodeId,
  taskId,
  isClaimed: bool(),
});

export const nodeBadge: Codec<NodeBadge> = struct('NodeBadge', { objectId: address, nodeId });

export const stackBadge: Codec<StackBadge> = struct('StackBadge', { objectId: address, stackId });
