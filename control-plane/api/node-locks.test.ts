import { describe, expect, it } from 'vitest';
import { type ApiKey, noLimits } from '../../domain/api-key.ts';
import type { FleetNode } from '../../domain/fleet.ts';
import type { NodeLock } from '../../domain/node-lock.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { buildCatalogue } from '../catalogue.ts';
import { testOffer, testPrice } from '../testing.ts';
import { createApi } from './app.ts';

const key: ApiKey = {
  ...{ id: 'key', accountId: 'acc', name: 'test', hint: '', createdMs: 0, scopes: ['chat'] },
  ...{ expiresMs: undefined, revokedMs: undefined, models: ['m', 'unpriced'], limits: noLimits },
};
const nodeWith = (id: string, weight: number, more: Partial<FleetNode> = {}): FleetNode => ({
  ...{ id, weight, host: 'h', ip: '2001:db8::7', port: 8443, tls: true, protocol: 'atoma' },
  ...{ signerAddress: '', sealingKey: `${id}=`, models: [{ model: 'm', stacks: [stack(5)] }] },
  ...more,
});
const stack = (id: number | string) => ({ id: String(id), units: 10 });

function createAsker(nodes: readonly FleetNode[], isFull = false) {
  const locks: NodeLock[] = [];
  let random = 0;
  const fleet = { models: [testOffer('m'), testOffer('unpriced'), testOffer('other')], nodes };
  const prices = new Map(['m', 'other'].map((id) => [id, testPrice('v1', 5n)] as const));
  const catalogue = buildCatalogue(fleet, prices);
  const api = createApi({
    catalogue: () => catalogue,
    findKey: async () => key,
    findAccount: async () => undefined,
    usagePage: async () => undefined,
    deposits: undefined,
    nodes: undefined,
    ping: async () => undefined,
    locks: {
      fleet: () => fleet,
      random: () => random,
      async addLock(lock) {
        if (!isFull) locks.push(lock);
        return !isFull;
      },
    },
    log: silentLog,
  });
  return {
    locks,
    async ask(body: string, at = 0) {
      random = at;
      const headers = { 'x-atoma-account': 'acc', 'x-atoma-key': 'key' };
      const response = await api.request('/v1/nodes/lock', { method: 'POST', body, headers });
      return { status: response.status, json: await response.json() };
    },
  };
}

const forModel = (model: unknown) => JSON.stringify({ model });

describe('a lock', () => {
  it('is told as SDKs demand it, and kept with all that a request has to match', async () => {
    const { ask, locks } = createAsker([nodeWith('sui-12', 1)]);
    expect(await ask(forModel('m'))).toEqual({
      status: 200,
      json: {
        public_key: 'sui-12=',
        node_small_id: 12,
        stack_small_id: 5,
        stack_entry_digest: null,
        expires_in_ms: 120_000,
      },
    });
    expect(locks).toEqual([
      {
        ...{ accountId: 'acc', model: 'm', stackId: '5', sealingKey: 'sui-12=' },
        ...{ nodeId: 'sui-12', address: '[2001:db8::7]:8443' },
      },
    ]);
  });

  it('follows the weights', async () => {
    const { ask, locks } = createAsker([nodeWith('a', 1), nodeWith('b', 3)]);
    for (let at = 0; at < 1; at += 0.125) await ask(forModel('m'), at);
    expect(locks.map(({ nodeId }) => nodeId).join('')).toBe('aabbbbbb');
  });

  it('is for nodes with a key and a stack that clients can name', async () => {
    const others = [
      nodeWith('plain', 1, { protocol: 'openai' }),
      nodeWith('keyless', 1, { sealingKey: '' }),
      nodeWith('broke', 1, { models: [{ model: 'm', stacks: [] }] }),
      nodeWith('huge', 1, { models: [{ model: 'm', stacks: [stack('9007199254740993')] }] }),
      nodeWith('elsewhere', 1, { models: [{ model: 'other', stacks: [stack(1)] }] }),
    ];
    const { ask } = createAsker(others);
    expect(await ask(forModel('m'))).toMatchObject({
      status: 503,
      json: { error: { code: 'no_healthy_node' } },
    });
  });

  it.each([
    [forModel('none'), 404, 'model_not_found'],
    [forModel('unpriced'), 404, 'model_not_found'],
    [forModel('other'), 403, 'model_not_allowed'],
    [forModel(7), 400, null],
    [forModel(''), 400, null],
    ['[]', 400, null],
    ['{', 400, null],
    [JSON.stringify({ model: 'm', pad: 'x'.repeat(5000) }), 413, 'request_too_large'],
  ])('is refused for %s', async (body, status, code) => {
    const { ask, locks } = createAsker([nodeWith('a', 1)]);
    expect(await ask(body)).toMatchObject({ status, json: { error: { code } } });
    expect(locks).toEqual([]);
  });

  it('is refused where the account has too many', async () => {
    const { ask } = createAsker([nodeWith('a', 1)], true);
    expect(await ask(forModel('m'))).toMatchObject({ status: 429 });
  });
});
