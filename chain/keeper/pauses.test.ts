import { describe, expect, it } from 'vitest';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import { microUsdc } from '../costs.ts';
import type { EndedOperation, Failure } from './operation.ts';
import { pausesAfter, payableFromMs } from './pauses.ts';
import { dayMs, hourMs } from './plan.ts';

const minuteMs = 60_000;
const taskId = taskSmallId(1n);
const order = { taskId, units: 1n, pricePerMillion: 1n, cost: microUsdc(1n) };
const begun = { id: 'one', startedMs: 0, endedMs: 0, order };
const failed = (failure: Failure): EndedOperation => ({
  kind: 'failed',
  ...begun,
  failure,
  missing: microUsdc(0n),
});
const abort = (code: number, module = 'db'): EndedOperation =>
  failed({ kind: 'abort', module, code: 312_012_000n + BigInt(code) });
const bought: EndedOperation = {
  kind: 'bought',
  ...begun,
  stackId: stackSmallId(1n),
  nodeId: nodeSmallId(1n),
  digest: 'digest',
  paid: microUsdc(1n),
};

describe('after a failure', () => {
  it.each([
    ['no node at that price', abort(22), taskId, minuteMs],
    ['no node at all', abort(21), taskId, minuteMs],
    ['no such task', abort(17), taskId, dayMs],
    ['a coin below the cost', abort(40), taskId, hourMs],
    ['an order without units', abort(39), undefined, dayMs],
    ['an abort of another module', abort(1, 'gate'), undefined, hourMs],
    ['too little gas', failed({ kind: 'failure', description: '' }), undefined, 10 * minuteMs],
    ['a transaction that never landed', failed({ kind: 'not-landed' }), taskId, minuteMs],
  ])('such as %s, nothing is bought for a while', (_name, ended, task, untilMs) => {
    expect(pausesAfter([ended])).toEqual([{ taskId: task, untilMs }]);
  });

  it('the pause doubles with each one in a row, up to a day, and ends with a purchase', () => {
    const untilAfter = (count: number) =>
      pausesAfter(Array.from({ length: count }, () => abort(22))).map(({ untilMs }) => untilMs);
    expect([1, 2, 3, 20].flatMap(untilAfter)).toEqual([
      minuteMs,
      2 * minuteMs,
      4 * minuteMs,
      dayMs,
    ]);
    expect(pausesAfter([abort(22), bought])).toEqual([]);
  });

  it('a withdrawal is not tried again for a while, which doubles each time, up to a day', () => {
    const withdrawal = {
      reference: 'one',
      accountId: 'acc_1',
      recipient: suiAddress(`0x${'1'.repeat(64)}`),
      amount: microUsdc(1n),
    };
    const notPaid: EndedOperation = {
      kind: 'not-paid',
      id: 'one',
      startedMs: 0,
      endedMs: 5,
      withdrawal,
      failure: { kind: 'not-landed' },
    };
    const fromAfter = (count: number) =>
      payableFromMs(
        'one',
        Array.from({ length: count }, () => notPaid),
      );
    expect([0, 1, 2, 3, 20].map(fromAfter)).toEqual([
      0,
      5 + minuteMs,
      5 + 2 * minuteMs,
      5 + 4 * minuteMs,
      5 + dayMs,
    ]);
    expect(payableFromMs('another', [notPaid])).toBe(0);
    expect(pausesAfter([notPaid])).toEqual([]);
  });
});
