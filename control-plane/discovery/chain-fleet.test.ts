import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyState, type NodeKey, type Rows, subscriptionId } from '../../chain/indexer/state.ts';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import { formatUsdPerMillion } from '../../domain/money.ts';
import { type NodeAddress, toChainFleet } from './chain-fleet.ts';

const owner = suiAddress(`0x${'0'.repeat(63)}1`);
const place = { host: 'n.example', ip: '9.9.9.9', port: 443, tls: true };
const usable: NodeAddress = { kind: 'usable', ...place, owner };
const defaults = { contextTokensMax: 4096, outputTokensMax: 512 };
/** Everybody is trusted. */
const percentOf = () => 100;
const u64 = fc.bigInt(0n, 2n ** 64n - 1n);

type Spec = {
  readonly tasks?: readonly Partial<Rows['tasks']>[];
  readonly subscriptions?: readonly (readonly [node: bigint, task: bigint, price: bigint])[];
  readonly stacks?: readonly Partial<Rows['stacks']>[];
};

/** Nodes 1 and 2; tasks are counted from 1 and serve the chat model `m` unless told otherwise. */
function rowsOf({ tasks = [{}], subscriptions = [], stacks = [] }: Spec) {
  const rows = emptyState();
  for (const nodeId of [1n, 2n].map(nodeSmallId)) {
    rows.nodes.set(String(nodeId), { nodeId, badgeId: undefined });
  }
  for (const [index, changes] of tasks.entries()) {
    const taskId = taskSmallId(BigInt(index + 1));
    const kind = { role: 0, model: 'm', securityLevel: 1, reputationMin: 0 };
    const row = { taskId, ...kind, deprecatedAtEpoch: undefined, ...changes };
    rows.tasks.set(String(taskId), row);
  }
  for (const [node, task, pricePerMillion] of subscriptions) {
    const ids = { nodeId: nodeSmallId(node), taskId: taskSmallId(task) };
    const row = { ...ids, pricePerMillion, unitsMax: 1_000_000n };
    rows.subscriptions.set(subscriptionId(ids), row);
  }
  for (const [index, changes] of stacks.entries()) {
    const stackId = stackSmallId(BigInt(index + 1));
    const ids = { stackId, nodeId: nodeSmallId(1n), taskId: taskSmallId(1n) };
    const money = { units: 1_000_000n, pricePerMillion: 5n };
    rows.stacks.set(String(stackId), { ...ids, ...money, standing: 'open', ...changes });
  }
  return rows;
}

function fleetOf(spec: Spec, addresses: readonly (readonly [string, NodeAddress])[] = []) {
  return toChainFleet({ percentOf, rows: rowsOf(spec), addresses: new Map(addresses), defaults });
}

describe('the fleet of the chain', () => {
  const keyed = (change: Partial<NodeKey>) => {
    const rows = rowsOf({ subscriptions: [[1n, 1n, 5n]], stacks: [{}] });
    rows.rotation.set('current', { rotation: 4n, nonce: 1n });
    rows.keys.set('1', {
      ...{ nodeId: nodeSmallId(1n), source: 'event', publicKey: Buffer.alloc(32, 9) },
      ...{ rotation: 4n, epoch: 1n, ...change },
    });
    const addresses = new Map([['1', usable]]);
    return toChainFleet({ percentOf, rows, addresses, defaults }).fleet.nodes[0]?.sealingKey;
  };

  it('seals to the key that a node committed for the present rotation', () => {
    expect(keyed({})).toBe(Buffer.alloc(32, 9).toString('base64'));
  });

  it.each([
    ['of an earlier rotation', { rotation: 3n }],
    ['that may be older than the one in use', { source: 'stored' as const }],
    ['of another length', { publicKey: Buffer.alloc(31, 9) }],
    ['in another form than its one', { publicKey: Buffer.alloc(32, 255) }],
  ])('seals to no key %s', (_name, change) => {
    expect(keyed(change)).toBe('');
  });

  it('is the subscribed nodes that have an address, with their open stacks', () => {
    const { fleet, standings } = fleetOf(
      { subscriptions: [[1n, 1n, 5n]], stacks: [{}, { standing: 'frozen' }, {}] },
      [['1', usable]],
    );
    expect(fleet.nodes).toEqual([
      {
        id: 'sui-1',
        ...place,
        protocol: 'atoma',
        weight: 100,
        signerAddress: owner,
        sealingKey: '',
        models: [
          {
            model: 'm',
            stacks: [
              { id: '1', units: 1_000_000 },
              { id: '3', units: 1_000_000 },
            ],
          },
        ],
      },
    ]);
    expect(standings).toEqual([
      { node: 'sui-1', models: ['m'], reason: undefined },
      { node: 'sui-2', models: [], reason: 'subscribed to nothing that is served' },
    ]);
  });

  it('takes millionths of a dollar per million units as what they are', () => {
    const { fleet } = fleetOf({ subscriptions: [[1n, 1n, 1_500_000n]] });
    const price = fleet.models[0]?.price;
    expect(price && formatUsdPerMillion(price.outputToken)).toBe('1.5');
    expect(price).toMatchObject({ inputToken: 1_500_000n, cachedInputToken: 1_500_000n });
    expect(price).toMatchObject({ image: 0n, imagePixel: 0n });
  });

  it.each([
    [0, ['chat', 'completions']],
    [1, ['embeddings']],
    [2, ['chat']],
    [3, ['images']],
  ])('serves role %d as %j', (role, endpoints) => {
    const { fleet } = fleetOf({ tasks: [{ role }], subscriptions: [[1n, 1n, 7n]] });
    expect(fleet.models).toMatchObject([{ id: 'm', endpoints, ...defaults }]);
  });

  it('prices pictures by the pixel', () => {
    const { fleet } = fleetOf({ tasks: [{ role: 3 }], subscriptions: [[1n, 1n, 7n]] });
    expect(fleet.models[0]?.price).toMatchObject({
      inputToken: 0n,
      outputToken: 0n,
      imagePixel: 7n,
    });
  });

  it.each([
    [{ deprecatedAtEpoch: 3n }, 'deprecated'],
    [{ model: undefined }, 'names no model'],
    [{ model: 'a\nb' }, 'its model has a name that cannot be used'],
    [{ role: 6 }, 'no endpoint serves role 6'],
    [{ securityLevel: 2 }, 'sampling consensus is not bought'],
  ])('leaves out a task with %o', (changes, reason) => {
    const { fleet, passedOver } = fleetOf(
      { tasks: [changes], subscriptions: [[1n, 1n, 7n]], stacks: [{}] },
      [['1', usable]],
    );
    expect(fleet).toEqual({ models: [], nodes: [] });
    expect(passedOver).toEqual([{ taskId: 1n, reason }]);
  });

  it('makes one model of tasks of one name and role, and passes over another role', () => {
    const { fleet, passedOver } = fleetOf(
      {
        tasks: [{}, { securityLevel: 0 }, { role: 1 }],
        subscriptions: [
          [1n, 1n, 5n],
          [1n, 2n, 4n],
          [1n, 3n, 1n],
        ],
        stacks: [{}, { taskId: taskSmallId(2n) }, { taskId: taskSmallId(3n) }],
      },
      [['1', usable]],
    );
    expect(fleet.models.map(({ id }) => id)).toEqual(['m']);
    expect(fleet.nodes[0]?.models[0]?.stacks.map(({ id }) => id)).toEqual(['1', '2']);
    expect(passedOver.map(({ taskId }) => taskId)).toEqual([3n]);
  });

  it('keeps a node that cannot be reached visible, with the reason', () => {
    const refused: NodeAddress = { kind: 'unusable', reason: 'its host is private' };
    const { fleet, standings } = fleetOf(
      {
        subscriptions: [
          [1n, 1n, 5n],
          [2n, 1n, 5n],
        ],
        stacks: [{}],
      },
      [['1', refused]],
    );
    expect(fleet.nodes).toEqual([]);
    expect(fleet.models).toHaveLength(1);
    expect(standings.map(({ reason }) => reason)).toEqual([
      'its host is private',
      'its owner has registered no address',
    ]);
  });

  it('says of a reachable node when nothing of it has been bought', () => {
    const spec = { subscriptions: [[1n, 1n, 5n]], stacks: [{ standing: 'claimed' }] } as const;
    const { standings } = fleetOf(spec, [['1', usable]]);
    expect(standings[0]?.reason).toBe('the gateway has no open stack');
  });

  it('costs what the dearest stack in use cost, whatever others ask', () => {
    const spec: Spec = {
      subscriptions: [
        [1n, 1n, 5n],
        [2n, 1n, 900n],
      ],
      stacks: [{ pricePerMillion: 6n }, { pricePerMillion: 4n }],
    };
    const priceOf = (addresses: readonly (readonly [string, NodeAddress])[]) =>
      fleetOf(spec, addresses).fleet.models[0]?.price?.inputToken;
    expect(
      priceOf([
        ['1', usable],
        ['2', usable],
      ]),
    ).toBe(6n);
    expect(priceOf([])).toBe(5n);
  });

  it('offers nothing at a price that no amount can hold', () => {
    const { fleet } = fleetOf({ subscriptions: [[1n, 1n, 2n ** 64n - 1n]] });
    expect(fleet.models).toEqual([]);
  });

  it('is the same in whatever order the rows come', () => {
    const spec: Spec = {
      tasks: [{}, { securityLevel: 0 }, { model: 'n' }],
      subscriptions: [
        [1n, 1n, 5n],
        [2n, 1n, 4n],
        [1n, 2n, 3n],
        [1n, 3n, 3n],
      ],
      stacks: [{}, { taskId: taskSmallId(2n) }, {}, { nodeId: nodeSmallId(2n) }],
    };
    const addresses = new Map([
      ['1', usable],
      ['2', usable],
    ]);
    const rows = rowsOf(spec);
    const turned = {
      nodes: new Map([...rows.nodes].reverse()),
      tasks: new Map([...rows.tasks].reverse()),
      subscriptions: new Map([...rows.subscriptions].reverse()),
      stacks: new Map([...rows.stacks].reverse()),
      keys: new Map([...rows.keys].reverse()),
      rotation: rows.rotation,
    };
    expect(toChainFleet({ percentOf, rows: turned, addresses, defaults })).toEqual(
      toChainFleet({ percentOf, rows, addresses, defaults }),
    );
  });

  it('never sells below the cost of a stack in use, and names only models that it offers', () => {
    const subscription = fc.tuple(fc.constantFrom(1n, 2n), fc.constantFrom(1n, 2n), u64);
    const stack = fc.record({
      nodeId: fc.constantFrom(1n, 2n).map(nodeSmallId),
      taskId: fc.constantFrom(1n, 2n).map(taskSmallId),
      units: u64,
      pricePerMillion: fc.bigInt(1n, 10n ** 9n),
      standing: fc.constantFrom('open' as const, 'frozen' as const, 'claimed' as const),
    });
    const specs = fc.record({
      tasks: fc.array(fc.record({ role: fc.nat(7), securityLevel: fc.nat(2) }), { maxLength: 3 }),
      subscriptions: fc.array(subscription, { maxLength: 6 }),
      stacks: fc.array(stack, { maxLength: 6 }),
    });
    fc.assert(
      fc.property(specs, (spec) => {
        const rows = rowsOf(spec);
        const { fleet } = toChainFleet({
          percentOf,
          rows,
          addresses: new Map([['1', usable]]),
          defaults,
        });
        const prices = new Map(fleet.models.map((model) => [model.id, model.price]));
        for (const { model, stacks } of fleet.nodes.flatMap(({ models }) => models)) {
          const price = prices.get(model);
          const unit = (price?.inputToken ?? 0n) + (price?.imagePixel ?? 0n);
          expect(prices.has(model)).toBe(true);
          for (const { id, units } of stacks) {
            const row = rows.stacks.get(id);
            expect(row?.standing).toBe('open');
            expect(BigInt(units)).toBe(row?.units);
            expect(unit).toBeGreaterThanOrEqual(row?.pricePerMillion ?? 0n);
          }
        }
      }),
    );
  });
});
