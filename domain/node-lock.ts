/** A lock: for a while, one sealed request of an account may go to this node, paid by this stack. It holds no money. */

/** What a sealed request has to name, as it was told with the lock. */
export type LockTerms = {
  readonly accountId: string;
  readonly model: string;
  readonly stackId: string;
  /** The node's X25519 key in base64. */
  readonly sealingKey: string;
};

export type NodeLock = LockTerms & {
  readonly nodeId: string;
  /** `ip:port`, as Envoy knows the node. */
  readonly address: string;
};

/**
 * Longer than an upload may take (a minute, see the listener), and the sealing before it: SDKs lock, seal and send at once.
 */
export const lockLifeMs = 120_000;

/** Of one account, not used yet. */
export const locksMax = 256;
