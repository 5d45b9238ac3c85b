/** Why the contract refused a transaction, and what the gateway does about it (Atoma on Sui, section 9). */

/** What follows from an abort. */
export type AbortResponse =
  /** Read the prices again; raise the cap within policy, or do not buy. */
  | 'refresh-prices'
  /** Send money to the buyer, then repeat. */
  | 'fund'
  /** The task cannot be bought: take it out of the catalogue. */
  | 'drop-task'
  /** The order was malformed by us: alarm. */
  | 'own-bug'
  /** A node's key cannot be rotated: it shows why the node has no current key. */
  | 'node-key-fault'
  /** Only the selected node makes this call: never ours. */
  | 'not-our-call'
  /** The node claimed what it may not: alarm, and lower its standing. */
  | 'distrust-node'
  /** Settlement is under way or disputed: count no more units of this stack. */
  | 'freeze-stack'
  /** Between nodes: of no consequence here. */
  | 'log'
  /** A matter of the node's operator or of the manager. */
  | 'operator-error'
  /** An id that the contract does not know: read the state again. */
  | 'refresh-state';

const aborts = {
  0: ['registration-disabled', 'operator-error'],
  12: ['node-already-disabled', 'operator-error'],
  13: ['node-destroyed-too-early', 'operator-error'],
  15: ['task-deprecated', 'drop-task'],
  16: ['already-subscribed', 'operator-error'],
  17: ['task-unknown', 'drop-task'],
  18: ['not-subscribed', 'operator-error'],
  20: ['task-not-deprecated', 'drop-task'],
  21: ['task-without-nodes', 'refresh-prices'],
  22: ['no-eligible-node', 'refresh-prices'],
  23: ['not-the-node-of-the-stack', 'not-our-call'],
  24: ['ticket-exists', 'freeze-stack'],
  25: ['claim-above-units', 'distrust-node'],
  26: ['attestation-not-sampled', 'log'],
  28: ['ticket-unknown', 'log'],
  29: ['attestation-too-late', 'log'],
  30: ['attester-not-chosen', 'log'],
  31: ['ticket-disputed', 'freeze-stack'],
  32: ['claim-too-early', 'freeze-stack'],
  33: ['not-the-node-of-the-settlement', 'not-our-call'],
  34: ['task-already-deprecated', 'drop-task'],
  35: ['role-invalid', 'operator-error'],
  36: ['security-level-invalid', 'operator-error'],
  37: ['price-zero', 'own-bug'],
  38: ['requirements-unmet', 'operator-error'],
  39: ['units-zero', 'own-bug'],
  40: ['coin-too-small', 'fund'],
  41: ['proof-invalid', 'log'],
  42: ['leaf-invalid', 'log'],
  43: ['reputation-invalid', 'operator-error'],
  44: ['task-is-public', 'operator-error'],
  45: ['node-not-whitelisted', 'operator-error'],
  46: ['dispute-exists', 'freeze-stack'],
  47: ['dispute-not-sampled', 'log'],
  48: ['device-type-invalid', 'node-key-fault'],
  49: ['rotation-mismatch', 'node-key-fault'],
  50: ['key-mismatch', 'node-key-fault'],
  51: ['claim-not-confidential', 'distrust-node'],
  52: ['claims-malformed', 'distrust-node'],
  53: ['claimed-twice', 'distrust-node'],
  54: ['not-the-node-of-the-claim', 'not-our-call'],
} as const satisfies Record<number, readonly [name: string, response: AbortResponse]>;

type KnownAbort = (typeof aborts)[keyof typeof aborts];
type AbortName = KnownAbort[0] | 'id-unknown';

export type Abort =
  | { readonly kind: 'known'; readonly name: AbortName; readonly response: AbortResponse }
  | { readonly kind: 'unknown'; readonly module: string; readonly code: bigint };

const base = 312_012_000n;
const known: ReadonlyMap<bigint, KnownAbort> = new Map(
  Object.entries(aborts).map(([code, abort]) => [base + BigInt(code), abort]),
);
const unknownId: Abort = { kind: 'known', name: 'id-unknown', response: 'refresh-state' };

/** Reads the code of a Move abort together with the module in which it happened. */
export function readAbort({ module, code }: { module: string; code: bigint }): Abort {
  if (module === 'dynamic_field') return unknownId;
  const abort = module === 'db' ? known.get(code) : undefined;
  if (!abort) return { kind: 'unknown', module, code };
  const [name, response] = abort;
  return { kind: 'known', name, response };
}
