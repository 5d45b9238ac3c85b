import { describe, expect, it } from 'vitest';
import type { ApiKey } from '../domain/api-key.ts';
import { noLimits } from '../domain/api-key.ts';
import { createKeyCache } from './key-cache.ts';

const key: ApiKey = {
  id: 'key-1',
  accountId: 'account-1',
  name: 'test',
  hint: 'hint',
  createdMs: 0,
  expiresMs: undefined,
  revokedMs: undefined,
  scopes: ['chat'],
  models: undefined,
  limits: noLimits,
};

/** A store of keys that counts how often it is asked and answers when it is told to. */
function createStore() {
  const asked: string[] = [];
  let now = 0;
  let answer: (hash: string) => Promise<ApiKey | undefined> = () => Promise.resolve(key);
  const cache = createKeyCache({
    lookUp(hash) {
      asked.push(hash);
      return answer(hash);
    },
    nowMs: () => now,
  });
  return {
    cache,
    asked,
    pass(durationMs: number) {
      now += durationMs;
    },
    answerWith(next: typeof answer) {
      answer = next;
    },
  };
}

describe('the key cache', () => {
  it('asks once for a busy key and again before a second has passed', async () => {
    const { cache, asked, pass } = createStore();
    for (let count = 0; count < 5; count++) expect(await cache.find('a')).toBe(key);
    expect(asked).toHaveLength(1);
    pass(999);
    await cache.find('a');
    expect(asked).toHaveLength(2);
  });

  it('lets callers that arrive together share one look-up', async () => {
    const { cache, asked } = createStore();
    expect(await Promise.all([cache.find('a'), cache.find('a'), cache.find('b')])).toEqual([
      key,
      key,
      key,
    ]);
    expect(asked).toEqual(['a', 'b']);
  });

  it('remembers for a moment that a hash is no key', async () => {
    const { cache, asked, answerWith } = createStore();
    answerWith(() => Promise.resolve(undefined));
    await cache.find('a');
    expect(await cache.find('a')).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  it('forgets what is invalidated, even in the middle of a look-up', async () => {
    const { cache, asked, answerWith } = createStore();
    await cache.find('a');
    cache.invalidate('a');
    const { promise, resolve } = Promise.withResolvers<ApiKey | undefined>();
    answerWith(() => promise);
    const early = cache.find('a');
    cache.invalidate('a');
    resolve(key);
    await early;
    answerWith(() => Promise.resolve({ ...key, revokedMs: 1 }));
    expect(await cache.find('a')).toMatchObject({ revokedMs: 1 });
    expect(asked).toHaveLength(3);
  });

  it('does not remember a failed look-up', async () => {
    const { cache, answerWith } = createStore();
    answerWith(() => Promise.reject(new Error('down')));
    await expect(cache.find('a')).rejects.toThrow('down');
    answerWith(() => Promise.resolve(key));
    expect(await cache.find('a')).toBe(key);
  });

  it('keeps good keys while strangers guess', async () => {
    const { cache, asked, answerWith } = createStore();
    await cache.find('good');
    answerWith(() => Promise.resolve(undefined));
    for (let guess = 0; guess < 30_000; guess++) await cache.find(`guess-${guess}`);
    const before = asked.length;
    expect(await cache.find('good')).toBe(key);
    expect(asked).toHaveLength(before);
  });
});
