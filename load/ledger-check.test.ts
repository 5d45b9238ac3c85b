import { describe, expect, it } from 'vitest';
import { picoUsd } from '../domain/money.ts';
import { noUsage } from '../domain/usage.ts';
import { addTo, billProblems, noBill } from './ledger-check.ts';

const price = {
  version: 'v1',
  inputToken: picoUsd(100n),
  cachedInputToken: picoUsd(10n),
  outputToken: picoUsd(400n),
  image: picoUsd(0n),
  imagePixel: picoUsd(0n),
};
const prices = new Map([['m v1', price]]);

const line = (charged: bigint, priceVersion = 'v1') => ({
  cursor: '1-1',
  charged: picoUsd(charged),
  record: {
    timeMs: 0,
    requestId: 'request-1',
    keyId: 'key',
    model: 'm',
    endpoint: 'chat' as const,
    nodeId: 'node',
    priceVersion,
    usage: { ...noUsage, inputTokens: 10, cachedInputTokens: 4, outputTokens: 2 },
    estimated: false,
    status: 200,
    ending: 'completed' as const,
  },
});

describe('a bill', () => {
  it('adds tokens times price', () => {
    const billed = noBill();
    addTo(billed, line(1440n), prices);
    addTo(billed, line(1440n), prices);
    expect(billed).toMatchObject({ requests: 2, cost: 2880n, inputTokens: 20, outputTokens: 4 });
    expect(billed.endings).toEqual({ completed: 2 });
    expect(billProblems(billed, 2)).toEqual([]);
    expect(billProblems(billed, 3)).toHaveLength(1);
  });

  it('refuses a charge that is not its usage times its price', () => {
    expect(() => addTo(noBill(), line(1441n), prices)).toThrow(/request-1 costs/);
    expect(() => addTo(noBill(), line(1440n, 'v2'), prices)).toThrow(/on no list/);
  });
});
