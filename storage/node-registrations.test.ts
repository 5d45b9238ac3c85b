import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { suiAddress } from '../domain/chain-ids.ts';
import { redisKinds } from '../test/redis.ts';
import {
  createNodeRegistrations,
  type NodeRegistrations,
  statementsMax,
} from './node-registrations.ts';
import { type OwnRedis, openRedis } from './testing.ts';

const address = (value: number) => suiAddress(`0x${value.toString(16).padStart(64, '0')}`);
const ada = address(1);
const bob = address(2);

describe.each(redisKinds)('registrations over $name', ({ start }) => {
  let own: OwnRedis;
  let count = 100;
  let registrations: NodeRegistrations;

  beforeAll(async () => {
    own = await openRedis(await start());
  }, 30_000);
  afterAll(() => own.close());
  beforeEach(() => {
    count += 1;
    registrations = createNodeRegistrations({ redis: own.redis, databaseId: address(count) });
  });

  const statement = (text: string, owner = ada) => ({
    nodeId: '7',
    owner,
    publicAddress: `https://${text}.example`,
    country: 'CH',
    hash: text,
  });
  const register = (text: string, owner = ada) => registrations.register(statement(text, owner));

  it('are kept, one for each node', async () => {
    expect(await register('a')).toBe('registered');
    expect(await registrations.register({ ...statement('a'), nodeId: '8' })).toBe('registered');
    expect(await register('b')).toBe('registered');
    expect(await registrations.list()).toHaveLength(2);
    expect(await registrations.list()).toContainEqual(statement('b'));
  });

  it('change nothing where they are as before', async () => {
    await register('a');
    expect(await register('a')).toBe('current');
  });

  it('are taken in once: what was replaced does not come back', async () => {
    await register('a');
    await register('b');
    expect(await register('a')).toBe('replayed');
    expect(await registrations.list()).toEqual([statement('b')]);
  });

  it('of an earlier owner do not come back with the badge', async () => {
    await register('a');
    expect(await register('a', bob)).toBe('registered');
    expect(await register('a')).toBe('replayed');
    expect(await registrations.list()).toEqual([statement('a', bob)]);
  });

  it('let one of many equal ones in', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, () => register('a')));
    expect(results.filter((result) => result === 'registered')).toHaveLength(1);
    expect(results.filter((result) => result === 'current')).toHaveLength(49);
  });

  it('end where one owner has said too much', async () => {
    for (let index = 0; index < statementsMax; index += 1) await register(`${index}`);
    expect(await register('more')).toBe('full');
    expect(await register('more', bob)).toBe('registered');
  });
});
