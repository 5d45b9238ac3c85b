import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectTo } from '../../chain/testing/client.ts';
import { startFullNode, type TestFullNode } from '../../chain/testing/full-node.ts';
import { addressOf, definingPackage, TestLedger } from '../../chain/testing/ledger.ts';
import { startFullNode as startStandIn } from '../../devnet/sui/full-node.ts';
import { setUpAtoma, keyOf as suiKeyOf } from '../../devnet/sui/testing.ts';
import { nodeSmallId, suiAddress } from '../../domain/chain-ids.ts';
import {
  chatModel,
  nodeSmallId as relayNodeId,
  sealedClient,
  startRelay,
} from '../../test/sealing/relay.ts';
import { connectChainView, createChainView } from './chain-view.ts';

const { signal } = new AbortController();
const keyOf = (byte: number) => new Uint8Array(32).fill(byte);

let ledger: TestLedger;
let served: TestFullNode;
let fullNode: ReturnType<typeof connectTo>;
let view: ReturnType<typeof createChainView>;
beforeEach(async () => {
  ledger = new TestLedger();
  served = await startFullNode(ledger);
  fullNode = connectTo(served);
  view = createChainView({ fullNode, definingPackage });
});
afterEach(() => {
  fullNode.close();
  served.close();
});

const committed = (nodeId: bigint, publicKey: Uint8Array) =>
  ({
    kind: 'node-key-committed',
    epoch: 1n,
    rotation: 1n,
    nodeId: nodeSmallId(nodeId),
    publicKey,
    deviceType: 300,
    evidence: new Uint8Array(),
  }) as const;

describe('the key of a node', () => {
  it('is that of its latest commitment, and nothing before the first', async () => {
    ledger.execute([committed(1n, keyOf(1)), committed(2n, keyOf(2))]);
    expect(await view.lookUpKey(1n, signal)).toEqual(keyOf(1));
    expect(await view.lookUpKey(3n, signal)).toBeUndefined();
    ledger.execute([committed(1n, keyOf(3))]);
    ledger.execute();
    const both = [view.lookUpKey(1n, signal), view.lookUpKey(2n, signal)];
    expect(await Promise.all(both)).toEqual([keyOf(3), keyOf(2)]);
  });

  it('is found through listings that stop early', async () => {
    for (let n = 0; n < 12; n += 1) ledger.execute([committed(1n, keyOf(n))]);
    served.faults.itemsMax = 2;
    served.faults.scanCheckpointsMax = 3n;
    expect(await view.lookUpKey(1n, signal)).toEqual(keyOf(11));
  });

  it('is not told by an event of another package', async () => {
    const type = `${addressOf(0xbad)}::db::NodePublicKeyCommittmentEvent`;
    served.faults.ignoresFilter = true;
    ledger.execute([committed(1n, keyOf(1))]);
    ledger.execute([{ kind: 'raw', type, contents: new Uint8Array(9) }]);
    expect(await view.lookUpKey(1n, signal)).toEqual(keyOf(1));
  });

  it.each([
    ['is of another chain', () => Object.assign(served.faults, { chainId: 'other' })],
    ['lists events in the wrong order', () => Object.assign(served.faults, { disorders: true })],
    ['does not answer', () => served.close()],
  ])('is not told by a full node that %s', async (_, spoil) => {
    ledger.execute([committed(1n, keyOf(1)), committed(1n, keyOf(2))]);
    spoil();
    await expect(view.lookUpKey(1n, signal)).rejects.toThrow();
  });
});

it('a request is sealed to what the node has committed to, and to nothing else', async () => {
  const relay = await startRelay();
  const keyInUse = () => new Uint8Array(Buffer.from(relay.node.sealingKey(), 'base64'));
  const { lookUpKey } = view;
  const client = sealedClient(relay, { trust: { kind: 'chain', lookUpKey } });
  const messages = [{ role: 'user' as const, content: 'hello' }];
  const ask = () => client.chat.completions.create({ model: chatModel, messages });
  const refused = { cause: { unproven: 'key' } };

  await expect(ask()).rejects.toMatchObject(refused);
  ledger.execute([committed(BigInt(relayNodeId), keyInUse())]);
  await ask();
  relay.node.rotateSealingKey();
  await expect(ask()).rejects.toMatchObject(refused);
  ledger.execute([committed(BigInt(relayNodeId), keyInUse())]);
  await ask();
  served.close();
  await expect(ask()).rejects.toThrow();
  expect(relay.carried).toHaveLength(2);
  await relay.close();
});

it('the owner of a node is who holds its badge', async () => {
  const standIn = await startStandIn();
  const world = setUpAtoma(standIn.chain, [5n, 6n]);
  const [owner, other] = [1, 2].map((n) => suiKeyOf(n).toSuiAddress());
  world.seed.registerNodes([suiAddress(owner ?? '')]);
  const chain = connectChainView({
    fullNode: `http://${standIn.address}`,
    chainId: standIn.chain.chainId(),
    definingPackage: suiAddress(world.packageId),
  });
  const owns = (address = '') => chain.ownsNode({ nodeSmallId: 3n, address }, signal);
  expect(await Promise.all([owns(owner), owns(other), owns('0x1')])).toEqual([true, false, false]);
  chain.close();
  await standIn.close();
});
