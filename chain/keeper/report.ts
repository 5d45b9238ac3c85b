/** Tells the log how an operation of the treasury ended. */
import type { Logger } from '../../runtime/log.ts';
import type { EndedOperation, Failure } from './operation.ts';
import { consequenceOf } from './pauses.ts';

/** An error where an operator has to look. */
export function reportEnd(log: Logger, ended: EndedOperation): void {
  const { kind, id } = ended;
  switch (kind) {
    case 'bought': {
      const { stackId, nodeId, order, paid } = ended;
      const numbers = { stackId, nodeId, taskId: order.taskId, units: order.units, paid };
      log.info({ id, ...texts(numbers) }, 'a stack is bought');
      break;
    }
    case 'collected':
      log.info(
        { id, ...texts({ amount: ended.amount }) },
        'coins of the stack owner are collected',
      );
      break;
    case 'paid':
      log.info({ id, ...withdrawalFields(ended) }, 'a withdrawal is paid');
      break;
    case 'failed':
    case 'not-collected':
    case 'not-paid': {
      const failure = describe(ended.failure);
      const isMissing = kind === 'failed' && ended.missing > 0n;
      const isAlarm = isMissing || consequenceOf(ended.failure).isAlarm;
      const about = kind === 'not-paid' ? withdrawalFields(ended) : {};
      log[isAlarm ? 'error' : 'warn'](
        { id, kind, failure, isMissing, ...about },
        'the treasury fails',
      );
    }
  }
}

const withdrawalFields = ({ withdrawal }: EndedOperation & { kind: 'paid' | 'not-paid' }) => {
  const { reference, accountId, recipient, amount } = withdrawal;
  return { reference, accountId, recipient, ...texts({ amount }) };
};

const texts = (numbers: Readonly<Record<string, bigint>>) =>
  Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, String(value)]));

const describe = (failure: Failure): string => {
  if (failure.kind === 'abort') return `abort ${failure.code} in ${failure.module}`;
  return failure.kind === 'failure' ? failure.description : failure.kind;
};
