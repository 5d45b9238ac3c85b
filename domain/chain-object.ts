/** What the Atoma contract holds: its shared database and the rows of its tables, as plain data. */
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from './chain-ids.ts';

/** A table on the chain: its rows are dynamic fields of this id. */
export type ChainTable = { readonly id: SuiAddress; readonly size: bigint };

export type AtomaDatabase = {
  readonly id: SuiAddress;
  readonly ticketsId: SuiAddress;
  readonly nextNodeId: bigint;
  readonly nextTaskId: bigint;
  readonly nextStackId: bigint;
  readonly nodes: ChainTable;
  readonly models: ChainTable;
  readonly tasks: ChainTable;
  readonly stacks: ChainTable;
  readonly settlementTickets: ChainTable;
  readonly feeTreasury: bigint;
  readonly communalTreasury: bigint;
  readonly validationProbabilityPermille: bigint;
  readonly validationExtraNodes: bigint;
  readonly samplingChargePermille: bigint;
  readonly extraNodesChargePermille: bigint;
  readonly rotation: bigint;
  readonly nonce: bigint;
  readonly registrationDisabled: boolean;
  readonly registrationCollateral: bigint;
  readonly timeoutSlashPermille: bigint;
  readonly disputeOraclePermille: bigint;
  readonly disputeHonestNodesPermille: bigint;
};

/** Row of `nodes`. The stored key may be older than the node's last commitment event. */
export type NodeEntry = {
  readonly disabledInEpoch: bigint | undefined;
  readonly collateral: bigint;
  readonly lastFeeEpoch: bigint;
  readonly lastFeeEpochAmount: bigint;
  readonly availableFee: bigint;
  readonly reputation: number;
  readonly keyRotation: bigint | undefined;
  readonly keyEpoch: bigint | undefined;
  readonly publicKey: Uint8Array | undefined;
  readonly deviceTypes: readonly number[];
};

/** Object in `tasks`. */
export type Task = {
  readonly objectId: SuiAddress;
  readonly role: number;
  readonly model: string | undefined;
  readonly isDeprecated: boolean;
  readonly deprecatedAtEpoch: bigint | undefined;
  readonly securityLevel: number;
  readonly subscriptions: ChainTable;
  readonly subscribedNodes: ChainTable;
  readonly reputationMin: number;
  readonly isPublic: boolean;
  readonly whitelist: readonly NodeSmallId[];
};

/** Row of a task's subscriptions: what the node asks, in 10⁻⁶ USDC per million units. */
export type NodePrice = {
  readonly nodeId: NodeSmallId;
  readonly pricePerMillion: bigint;
  readonly unitsMax: bigint;
};

/** Row of `stacks`. `units` is what was bought; use is counted off the chain. */
export type StackEntry = {
  readonly owner: SuiAddress;
  readonly pricePerMillion: bigint;
  readonly units: bigint;
  readonly nodeId: NodeSmallId;
  readonly taskId: TaskSmallId;
  readonly isClaimed: boolean;
};

/** Owned object that speaks for a node: whoever holds it is the node's owner. */
export type NodeBadge = { readonly objectId: SuiAddress; readonly nodeId: NodeSmallId };

/** Owned object that came with a stack. */
export type StackBadge = { readonly objectId: SuiAddress; readonly stackId: StackSmallId };
