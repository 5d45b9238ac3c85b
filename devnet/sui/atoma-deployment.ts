/** Publishes and upgrades `atoma`, and calls its functions without a wallet, for seeding networks and tests. */
import { bcs } from '@mysten/sui/bcs';
import { normalizeSuiAddress } from '@mysten/sui/utils';
import { eventLayouts, layouts } from './atoma-layouts.ts';
import { moveFunctions } from './atoma-module.ts';
import { inner } from './atoma-state.ts';
import { type Chain, newlyShared, packageObject } from './chain.ts';
import { randomId } from './commands.ts';
import type { Draft } from './draft.ts';
import type { Executed } from './executed.ts';
import type { MoveValue } from './move-context.ts';

export type AtomaIds = {
  /** The package that defines the types, and is called until it is upgraded. */
  readonly packageId: string;
  readonly dbId: string;
  readonly managerBadgeId: string;
  readonly managerAddress: string;
};

export type AtomaCall = {
  readonly sender: string;
  readonly packageId: string;
  readonly functionName: string;
  readonly values: readonly MoveValue[];
};

const defaults = {
  crossValidationProbabilityPermille: 10,
  crossValidationExtraNodes: 1,
  samplingChargePermille: 1200,
  extraNodesChargePermille: 12,
  keyRotationCounter: 0,
  isRegistrationDisabled: false,
  registrationCollateral: 0,
  timeoutSlashPermille: 100,
  disputeOraclePermille: 100,
  disputeHonestNodesPermille: 200,
} as const;

/** Publishes the contracts; the badge of the manager goes to the publisher. */
export function publishAtoma(chain: Chain, publisher: string): AtomaIds {
  const { ledger, usdcType, firstSmallId } = chain;
  const managerAddress = normalizeSuiAddress(publisher);
  let ids: AtomaIds | undefined;
  chain.change(managerAddress, (draft) => {
    const packageId = draft.freshId();
    const dbId = draft.freshId();
    const managerBadgeId = draft.freshId();
    ids = { packageId, dbId, managerBadgeId, managerAddress };
    draft.write(packageObject(packageId));
    draft.write({
      id: dbId,
      owner: newlyShared,
      type: `${packageId}::db::AtomaDb`,
      contents: newDatabase(draft, { dbId, epoch: ledger.epoch().number, firstSmallId }),
      hasPublicTransfer: false,
    });
    draft.write({
      id: managerBadgeId,
      owner: { kind: 'address', address: managerAddress },
      type: `${packageId}::db::AtomaManagerBadge`,
      contents: layouts.AtomaManagerBadge.serialize({ id: managerBadgeId }).toBytes(),
      hasPublicTransfer: true,
    });
    const event = { db: dbId, managerBadge: managerBadgeId };
    draft.emit({
      packageId,
      module: 'db',
      sender: managerAddress,
      type: `${packageId}::db::PublishedEvent`,
      contents: eventLayouts.PublishedEvent.serialize(event).toBytes(),
    });
  });
  if (!ids) throw new Error('publishing makes ids');
  const { packageId } = ids;
  ledger.deployments.set(packageId, { packageId, definingId: packageId, version: 1n, usdcType });
  return ids;
}

/** Publishes a next version: calls may go to its id, types stay where they were. Returns the new package id. */
export function upgradeAtoma(chain: Chain, packageId: string): string {
  const { deployments } = chain.ledger;
  const current = deployments.get(packageId);
  if (!current) throw new Error(`${packageId} is not a published atoma package`);
  const versions = [...deployments.values()].filter(
    ({ definingId }) => definingId === current.definingId,
  );
  const version = BigInt(versions.length) + 1n;
  let upgradedId = '';
  chain.change(normalizeSuiAddress('0x0'), (draft) => {
    upgradedId = draft.freshId();
    draft.write(packageObject(upgradedId, version));
  });
  deployments.set(upgradedId, { ...current, packageId: upgradedId, version });
  return upgradedId;
}

/** Runs calls as their senders would, a transaction for each run of calls by one sender; an abort is thrown. */
export function callAtoma(chain: Chain, calls: readonly AtomaCall[]): Executed[] {
  const runs: AtomaCall[][] = [];
  for (const call of calls) {
    const last = runs.at(-1);
    if (last?.[0]?.sender === call.sender) last.push(call);
    else runs.push([call]);
  }
  return runs.map((run) =>
    chain.change(normalizeSuiAddress(run[0]?.sender ?? ''), (draft) => {
      for (const call of run) applyCall(chain, draft, call);
    }),
  );
}

function applyCall(chain: Chain, draft: Draft, call: AtomaCall): void {
  const { packageId, functionName, values } = call;
  const { drawU64, epoch, deployment } = chain.executionWorld();
  const target = deployment(packageId);
  const called = moveFunctions.get(functionName);
  if (!target || !called) throw new Error(`no function ${packageId}::db::${functionName}`);
  const { definingId, usdcType } = target;
  const names = { definingId, calledId: packageId, functionName, usdcType };
  const sender = normalizeSuiAddress(call.sender);
  called.run({ draft, sender, epoch, drawU64, ...names, values });
}

/** Arguments for `callAtoma`. */
export const move = {
  object: (id: string): MoveValue => ({ kind: 'object', id }),
  u64: (value: bigint): MoveValue => pure(bcs.u64().serialize(value).toBytes()),
  u16: (value: number): MoveValue => pure(bcs.u16().serialize(value).toBytes()),
  bool: (value: boolean): MoveValue => pure(bcs.bool().serialize(value).toBytes()),
  bytes: (value: Uint8Array): MoveValue => pure(bcs.byteVector().serialize(value).toBytes()),
  text: (value: string | null): MoveValue =>
    pure(bcs.option(bcs.string()).serialize(value).toBytes()),
  optionU16: (value: number | null): MoveValue =>
    pure(bcs.option(bcs.u16()).serialize(value).toBytes()),
  optionU8: (value: number | null): MoveValue =>
    pure(bcs.option(bcs.u8()).serialize(value).toBytes()),
  u64s: (values: readonly bigint[]): MoveValue =>
    pure(bcs.vector(bcs.u64()).serialize(values).toBytes()),
  random: (): MoveValue => ({ kind: 'object', id: randomId }),
} as const;

const pure = (bytes: Uint8Array): MoveValue => ({ kind: 'pure', bytes });

function newDatabase(
  draft: Draft,
  at: { readonly dbId: string; readonly epoch: bigint; readonly firstSmallId: bigint },
) {
  const table = () => ({ id: draft.freshId(), size: 0 });
  const first = inner(at.firstSmallId);
  return layouts.AtomaDb.serialize({
    ...defaults,
    id: at.dbId,
    tickets: draft.freshId(),
    nextNode: first,
    nextTask: first,
    nextStack: first,
    nodes: table(),
    models: table(),
    tasks: table(),
    stacks: table(),
    settlementTickets: table(),
    feeTreasury: 0,
    communalTreasury: 0,
    nonce: at.epoch,
  }).toBytes();
}
