import { describe, expect, it } from 'vitest';
import { answers, toErrorAnswer } from './failure.ts';
import { picoUsd } from './money.ts';

describe('toErrorAnswer', () => {
  it('speaks as OpenAI does', () => {
    const answer = toErrorAnswer({ kind: 'model-unknown', model: 'x"y' });
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toEqual({
      error: {
        message: 'The model "x"y" does not exist.',
        type: 'invalid_request_error',
        param: 'model',
        code: 'model_not_found',
      },
    });
  });

  it('tells how long to wait, within what clients honour', () => {
    const wait = (retryAfterMs: number) =>
      toErrorAnswer({ kind: 'requests-exceeded', limit: 1, retryAfterMs }).headers;
    expect(wait(1500.2)).toMatchObject({ 'retry-after': '2', 'retry-after-ms': '1501' });
    expect(wait(1)).toMatchObject({ 'retry-after': '1', 'retry-after-ms': '1000' });
    expect(wait(1e9)).toMatchObject({ 'retry-after': '60', 'retry-after-ms': '60000' });
  });

  it('keeps clients from repeating what cannot succeed', () => {
    const broke = toErrorAnswer({ kind: 'balance-exhausted', missing: picoUsd(5n) });
    expect(broke.headers).toMatchObject({ 'x-should-retry': 'false' });
    expect(broke.headers).not.toHaveProperty('retry-after');
    expect(toErrorAnswer({ kind: 'key-missing' }).headers).toMatchObject({
      'www-authenticate': 'Bearer',
    });
  });

  it('retries only what is not the fault of the request', () => {
    const wrong = Object.entries(answers).filter(
      ([, { status, retryable }]) => retryable !== (status === 429 || status >= 500),
    );
    expect(wrong).toEqual([]);
  });
});
