import { bcs } from '@mysten/sui/bcs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import type { StackEntry } from '../../domain/chain-object.ts';
import { anyAddress } from '../testing/arbitraries.ts';
import { createFieldIds, field, objectField } from './dynamic-fields.ts';
import { decodeExact } from './exact.ts';
import { stackId } from './fields.ts';
import {
  atomaDatabase,
  nodeBadge,
  nodeEntry,
  nodePrice,
  stackBadge,
  stackEntry,
  task,
} from './objects.ts';

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const le = (value: bigint) => Buffer.from(bcs.u64().serialize(value).toBytes()).toString('hex');
const id = (byte: string) => suiAddress(`0x${byte.repeat(32)}`);
const raw = (byte: string) => byte.repeat(32);

// Written out by hand from section 4 of the reference, so that the codecs have a twin.
describe('the objects of the contract', () => {
  it('read AtomaDb', () => {
    const small = [3n, 4n, 5n].map(le).join('');
    const tables = ['a1', 'a2', 'a3', 'a4', 'a5'].map((byte) => raw(byte) + le(9n)).join('');
    const numbers = [10n, 11n, 12n, 13n, 14n, 15n, 16n, 17n].map(le).join('');
    const rest = `01${[18n, 19n, 20n, 21n].map(le).join('')}`;
    const text = raw('d0') + raw('d1') + small + tables + numbers + rest;
    const table = (byte: string) => ({ id: id(byte), size: 9n });
    expect(decodeExact(atomaDatabase, hex(text))).toEqual({
      id: id('d0'),
      ticketsId: id('d1'),
      nextNodeId: 3n,
      nextTaskId: 4n,
      nextStackId: 5n,
      nodes: table('a1'),
      models: table('a2'),
      tasks: table('a3'),
      stacks: table('a4'),
      settlementTickets: table('a5'),
      feeTreasury: 10n,
      communalTreasury: 11n,
      validationProbabilityPermille: 12n,
      validationExtraNodes: 13n,
      samplingChargePermille: 14n,
      extraNodesChargePermille: 15n,
      rotation: 16n,
      nonce: 17n,
      registrationDisabled: true,
      registrationCollateral: 18n,
      timeoutSlashPermille: 19n,
      disputeOraclePermille: 20n,
      disputeHonestNodesPermille: 21n,
    });
  });

  it('read NodeEntry with and without a key', () => {
    const money = [1n, 2n, 3n, 4n].map(le).join('');
    const keyed = `00${money}3201${le(5n)}01${le(12n)}0120${raw('0f')}022c012d01`;
    expect(decodeExact(nodeEntry, hex(keyed))).toEqual({
      disabledInEpoch: undefined,
      collateral: 1n,
      lastFeeEpoch: 2n,
      lastFeeEpochAmount: 3n,
      availableFee: 4n,
      reputation: 50,
      keyRotation: 5n,
      keyEpoch: 12n,
      publicKey: hex(raw('0f')),
      deviceTypes: [300, 301],
    });
    const bare = `01${le(7n)}${money}3200000000`;
    expect(decodeExact(nodeEntry, hex(bare))).toMatchObject({
      disabledInEpoch: 7n,
      publicKey: undefined,
      deviceTypes: [],
    });
  });

  it('read Task', () => {
    const text = `${raw('c0')}000001016d`;
    const rest = `0101${le(13n)}0100${raw('c1')}${le(2n)}${raw('c2')}${le(2n)}3200`;
    const whitelist = `02${le(4n)}${le(9n)}`;
    expect(decodeExact(task, hex(text + rest + whitelist))).toEqual({
      objectId: id('c0'),
      role: 0,
      model: 'm',
      isDeprecated: true,
      deprecatedAtEpoch: 13n,
      securityLevel: 1,
      subscriptions: { id: id('c1'), size: 2n },
      subscribedNodes: { id: id('c2'), size: 2n },
      reputationMin: 50,
      isPublic: false,
      whitelist: [4n, 9n],
    });
  });

  it('read Stack, NodePriceData and the badges', () => {
    const stack = raw('bb') + [1500n, 1_000_000n, 11n, 3n].map(le).join('');
    expect(decodeExact(stackEntry, hex(`${stack}00`))).toEqual({
      owner: id('bb'),
      pricePerMillion: 1500n,
      units: 1_000_000n,
      nodeId: 11n,
      taskId: 3n,
      isClaimed: false,
    });
    const price = [11n, 1500n, 1_000_000n].map(le).join('');
    expect(decodeExact(nodePrice, hex(price))).toEqual({
      nodeId: 11n,
      pricePerMillion: 1500n,
      unitsMax: 1_000_000n,
    });
    const badge = hex(raw('aa') + le(7n));
    expect(decodeExact(nodeBadge, badge)).toEqual({ objectId: id('aa'), nodeId: 7n });
    expect(decodeExact(stackBadge, badge)).toEqual({ objectId: id('aa'), stackId: 7n });
  });

  it('refuse a truth that is neither 0 nor 1', () => {
    const stack = raw('bb') + [1500n, 1_000_000n, 11n, 3n].map(le).join('');
    expect(() => decodeExact(stackEntry, hex(`${stack}02`))).toThrow();
    expect(() => decodeExact(stackEntry, hex(`${stack}0000`))).toThrow();
    expect(() => decodeExact(stackEntry, hex(stack))).toThrow();
  });

  it('read what they write', () => {
    const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
    const anyStack: fc.Arbitrary<StackEntry> = fc.record({
      owner: anyAddress,
      pricePerMillion: u64,
      units: u64,
      nodeId: u64.map(nodeSmallId),
      taskId: u64.map(taskSmallId),
      isClaimed: fc.boolean(),
    });
    fc.assert(
      fc.property(anyStack, (stack) => {
        const contents = stackEntry.serialize(stack).toBytes();
        expect(decodeExact(stackEntry, contents)).toEqual(stack);
      }),
    );
  });
});

describe('a row of a table', () => {
  it('is a field with its id, name and value', () => {
    const row = field({ name: stackId, value: bcs.u8() });
    expect(decodeExact(row, hex(`${raw('f0')}${le(10n)}07`))).toEqual({
      id: id('f0'),
      name: 10n,
      value: 7,
    });
  });

  it('names its object where it is one', () => {
    const row = objectField(stackId);
    expect(decodeExact(row, hex(`${raw('f0')}${le(10n)}${raw('c0')}`))).toEqual({
      id: id('f0'),
      name: { name: 10n },
      value: id('c0'),
    });
  });

  it('has the id that Sui derives from table, type and name', () => {
    const nameType = `${id('ab')}::db::StackSmallId`;
    const fieldIdOf = createFieldIds({ tableId: id('a4'), nameType });
    const one = fieldIdOf(stackId.serialize(stackSmallId(1n)).toBytes());
    expect(fieldIdOf(hex(le(2n)))).not.toBe(one);
    expect(fieldIdOf(hex(le(1n)))).toBe(one);
  });
});
