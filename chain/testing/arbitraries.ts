/** Random events of every kind, for property tests. */
import fc from 'fast-check';
import type {
  ChainEvent,
  ChainEventFields,
  ChainEventKind,
  ChainEventOf,
} from '../../domain/chain-event.ts';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';

const u64 = fc.bigInt(0n, 2n ** 64n - 1n);
const u16 = fc.nat(0xffff);
const bytes = fc.uint8Array({ maxLength: 300 });
const ascii = fc.string({ maxLength: 200, unit: 'binary-ascii' });
export const anyAddress = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((raw) => suiAddress(`0x${Buffer.from(raw).toString('hex')}`));

const nodeId = u64.map(nodeSmallId);
const taskId = u64.map(taskSmallId);
const stackId = u64.map(stackSmallId);
const attestingNodes = fc.array(nodeId, { maxLength: 5 });
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });

const taskObject = { objectId: anyAddress, taskId };
const offer = { taskId, nodeId, pricePerMillion: u64, unitsMax: u64 };
const claim = { stackId, nodeId, unitsClaimed: u64, refund: u64 };

type Arbitraries = { readonly [Kind in ChainEventKind]: fc.Arbitrary<ChainEventOf<Kind>> };

const events: Arbitraries = {
  published: event('published', fc.record({ databaseId: anyAddress, managerBadgeId: anyAddress })),
  'node-registered': event('node-registered', fc.record({ badgeId: anyAddress, nodeId })),
  'key-rotation-started': event(
    'key-rotation-started',
    fc.record({ rotation: u64, epoch: u64, nonce: u64 }),
  ),
  'node-key-committed': event(
    'node-key-committed',
    fc.record({
      epoch: u64,
      rotation: u64,
      nodeId,
      publicKey: bytes,
      deviceType: u16,
      evidence: bytes,
    }),
  ),
  'node-subscribed': event('node-subscribed', fc.record(offer)),
  'node-subscription-updated': event('node-subscription-updated', fc.record(offer)),
  'node-unsubscribed': event('node-unsubscribed', fc.record({ taskId, nodeId })),
  'node-subscribed-to-model': event(
    'node-subscribed-to-model',
    fc.record({ nodeId, model: ascii, echelonId: u64 }),
  ),
  'task-registered': event(
    'task-registered',
    fc.record({
      ...taskObject,
      role: u16,
      model: optional(ascii),
      securityLevel: u16,
      reputationMin: optional(fc.nat(0xff)),
    }),
  ),
  'task-deprecated': event('task-deprecated', fc.record({ ...taskObject, epoch: u64 })),
  'task-removed': event('task-removed', fc.record({ ...taskObject, epoch: u64 })),
  'stack-created': event(
    'stack-created',
    fc.record({
      badgeId: anyAddress,
      stackId,
      owner: anyAddress,
      taskId,
      nodeId,
      units: u64,
      pricePerMillion: u64,
    }),
  ),
  'stack-settling': event(
    'stack-settling',
    fc.record({
      stackId,
      nodeId,
      attestingNodes,
      proof: bytes,
      leaf: bytes,
      unitsClaimed: u64,
    }),
  ),
  'settlement-attested': event(
    'settlement-attested',
    fc.record({
      stackId,
      attestingNodeId: nodeId,
      proof: bytes,
      leaf: bytes,
    }),
  ),
  'settlement-ticket-issued': event(
    'settlement-ticket-issued',
    fc.record({
      stackId,
      nodeId,
      unitsClaimed: u64,
      attestingNodes,
      settledAtEpoch: u64,
      proof: bytes,
    }),
  ),
  'settlement-ticket-claimed': event(
    'settlement-ticket-claimed',
    fc.record({ ...claim, attestingNodes }),
  ),
  'settlement-disputed': event(
    'settlement-disputed',
    fc.record({
      stackId,
      attestedProof: bytes,
      attestingNodeId: nodeId,
      nodeId,
      proof: bytes,
    }),
  ),
  'stack-claimed': event('stack-claimed', fc.record(claim)),
};

function event<Kind extends ChainEventKind>(
  kind: Kind,
  fields: fc.Arbitrary<ChainEventFields[Kind]>,
): fc.Arbitrary<ChainEventOf<Kind>> {
  return fields.map((values) => ({ kind, ...values }));
}

/** Any event of any kind. */
export const anyEvent: fc.Arbitrary<ChainEvent> = fc.oneof(...Object.values(events));
