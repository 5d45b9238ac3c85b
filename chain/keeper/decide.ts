/**
 * What comes next once a transaction has landed, or never can. Pure. Each purchase has one buying transaction, ever: where
 * that one buys nothing the coin goes back, and another purchase begins anew.
 */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { EventTypes } from '../bcs/event-types.ts';
import { type MicroUsdc, microUsdc } from '../costs.ts';
import { FullNodeError } from '../full-node.ts';
import { coinObjectType } from '../move-type.ts';
import type { CoinQuery, Execution, ExecutionResult, ObjectRef } from '../transaction-node.ts';
import type { EndedOperation, Failure, Operation } from './operation.ts';

/** What became of a transaction. */
export type Landing =
  | { readonly kind: 'landed'; readonly execution: Execution }
  /** It cannot land any more. */
  | { readonly kind: 'dead' };

export type Parties = {
  readonly treasury: SuiAddress;
  readonly owner: SuiAddress;
  /** The full type of the stablecoin. */
  readonly usdcType: string;
  /** Tells which events are the contract's. */
  readonly eventTypes: EventTypes;
};

type Purchase = Exclude<Operation, { kind: 'collecting' | 'withdrawing' }>;

export type NextStep =
  | { readonly kind: 'end'; readonly ended: EndedOperation }
  /** Buy with this coin. */
  | { readonly kind: 'buy'; readonly purchase: Purchase; readonly coin: ObjectRef }
  /** Send the coin back, as far as the stack owner still has it. */
  | {
      readonly kind: 'return';
      readonly purchase: Purchase;
      readonly coinId: SuiAddress;
      readonly failure: Failure;
    };

/** Throws a protocol error where a success lacks what it has to bring. */
export function decideNext(options: {
  readonly operation: Operation;
  readonly landing: Landing;
  readonly parties: Parties;
  readonly nowMs: number;
}): NextStep {
  const { operation, landing, parties, nowMs: endedMs } = options;
  const { id, startedMs } = operation;
  const failure = failureOf(landing);
  if (landing.kind === 'dead' || failure) {
    return afterFailure(operation, { failure: failure ?? { kind: 'not-landed' }, endedMs });
  }
  const { execution } = landing;
  switch (operation.kind) {
    case 'funding':
      return { kind: 'buy', purchase: operation, coin: fundedCoin(execution, parties) };
    case 'buying':
      return { kind: 'end', ended: bought(operation, { execution, parties, endedMs }) };
    case 'returning': {
      const { order, failure: reason } = operation;
      const ended = { id, startedMs, endedMs, order, failure: reason, missing: microUsdc(0n) };
      return { kind: 'end', ended: { kind: 'failed', ...ended } };
    }
    case 'collecting': {
      const amount = microUsdc(changeOf(execution, whose(parties.treasury, parties)));
      return { kind: 'end', ended: { kind: 'collected', id, startedMs, endedMs, amount } };
    }
    case 'withdrawing':
      return { kind: 'end', ended: paid(operation, { execution, parties, endedMs }) };
  }
}

function failureOf(landing: Landing): Failure | undefined {
  return landing.kind === 'landed' ? failureIn(landing.execution.result) : undefined;
}

const failureIn = (result: ExecutionResult): Failure | undefined =>
  result.kind === 'success' ? undefined : result;

function afterFailure(
  operation: Operation,
  { failure, endedMs }: { failure: Failure; endedMs: number },
): NextStep {
  const { id, startedMs } = operation;
  switch (operation.kind) {
    case 'funding': {
      const { order } = operation;
      const ended = { id, startedMs, endedMs, order, failure, missing: microUsdc(0n) };
      return { kind: 'end', ended: { kind: 'failed', ...ended } };
    }
    case 'buying': {
      const { coinId } = operation;
      return { kind: 'return', purchase: operation, coinId, failure };
    }
    case 'returning': {
      // The reason stays the one for which nothing was bought.
      const { coinId, failure: reason } = operation;
      return { kind: 'return', purchase: operation, coinId, failure: reason };
    }
    case 'collecting':
      return { kind: 'end', ended: { kind: 'not-collected', id, startedMs, endedMs, failure } };
    case 'withdrawing': {
      const { withdrawal } = operation;
      const ended = { id, startedMs, endedMs, withdrawal, failure };
      return { kind: 'end', ended: { kind: 'not-paid', ...ended } };
    }
  }
}

function fundedCoin({ digest, created }: Execution, { owner, usdcType }: Parties): ObjectRef {
  const coinType = coinObjectType(usdcType);
  const coins = created.filter(
    ({ owner: holder, type }) =>
      holder.kind === 'address' && holder.address === owner && type === coinType,
  );
  const [coin] = coins;
  if (!coin || coins.length > 1) {
    throw new FullNodeError('protocol', `${digest} made ${coins.length} coins, expected one`);
  }
  return coin.ref;
}

function bought(
  operation: Operation & { kind: 'buying' },
  options: { execution: Execution; parties: Parties; endedMs: number },
): EndedOperation {
  const { execution, parties, endedMs } = options;
  const { id, startedMs, order } = operation;
  for (const { type, contents } of execution.events) {
    const reading = parties.eventTypes.read(type, contents);
    if (reading.kind !== 'event' || reading.event.kind !== 'stack-created') continue;
    const { owner, taskId, units, stackId, nodeId } = reading.event;
    if (owner !== parties.owner || taskId !== order.taskId || units !== order.units) continue;
    const { digest } = execution;
    const paid = paidIn(execution, parties);
    return { kind: 'bought', id, startedMs, endedMs, order, stackId, nodeId, digest, paid };
  }
  throw new FullNodeError('protocol', `${execution.digest} succeeded and tells of no stack`);
}

function paid(
  { id, startedMs, withdrawal }: Operation & { kind: 'withdrawing' },
  options: { execution: Execution; parties: Parties; endedMs: number },
): EndedOperation {
  const { execution, parties, endedMs } = options;
  const { digest } = execution;
  const received = changeOf(execution, whose(withdrawal.recipient, parties));
  if (received !== withdrawal.amount) {
    throw new FullNodeError('protocol', `${digest} succeeded and its recipient got ${received}`);
  }
  return { kind: 'paid', id, startedMs, endedMs, withdrawal, digest };
}

/** What left both of us. */
const paidIn = (execution: Execution, parties: Parties): MicroUsdc =>
  microUsdc(
    -changeOf(execution, whose(parties.owner, parties)) -
      changeOf(execution, whose(parties.treasury, parties)),
  );

const whose = (owner: SuiAddress, { usdcType: coinType }: Parties): CoinQuery => ({
  owner,
  coinType,
});

function changeOf({ balanceChanges }: Execution, { owner, coinType }: CoinQuery): bigint {
  return balanceChanges
    .filter((change) => change.owner === owner && change.coinType === coinType)
    .reduce((sum, { amount }) => sum + amount, 0n);
}
