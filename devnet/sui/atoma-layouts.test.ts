import { describe, expect, it } from 'vitest';
import { eventLayouts as events } from './atoma-layouts.ts';

const fill = (byte: string) => `0x${byte.repeat(32)}`;
const id = (inner: number) => ({ inner });

// Published vectors of the contract's events.
const vectors = [
  [
    events.PublishedEvent.serialize({ db: fill('a1'), managerBadge: fill('a2') }),
    'a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2',
  ],
  [
    events.NodeRegisteredEvent.serialize({ badge: fill('a3'), node: id(1) }),
    'a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a30100000000000000',
  ],
  [
    events.NewKeyRotationEvent.serialize({ counter: 5, epoch: 12, nonce: '18446744073709551615' }),
    '05000000000000000c00000000000000ffffffffffffffff',
  ],
  [
    events.NodePublicKeyCommittmentEvent.serialize({
      epoch: 12,
      counter: 5,
      node: id(1),
      publicKey: Buffer.from(
        '0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20',
        'hex',
      ),
      deviceType: 300,
      evidence: Uint8Array.of(120, 156),
    }),
    '0c0000000000000005000000000000000100000000000000200faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f202c0102789c',
  ],
  [
    events.NodeSubscribedToTaskEvent.serialize({
      task: id(3),
      node: id(11),
      price: 1500,
      unitsMax: 1_000_000,
    }),
    '03000000000000000b00000000000000dc0500000000000040420f0000000000',
  ],
  [
    events.NodeSubscriptionUpdatedEvent.serialize({
      node: id(11),
      task: id(3),
      price: 1400,
      unitsMax: 1_000_000,
    }),
    '0b000000000000000300000000000000780500000000000040420f0000000000',
  ],
  [
    events.NodeUnsubscribedFromTaskEvent.serialize({ task: id(3), node: id(11) }),
    '03000000000000000b00000000000000',
  ],
  [
    events.TaskRegisteredEvent.serialize({
      badge: fill('cc'),
      task: id(7),
      role: { inner: 0 },
      modelName: 'meta-llama/Llama-3.3-70B-Instruct',
      securityLevel: { inner: 1 },
      minimumReputation: { inner: 50 },
    }),
    'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc0700000000000000000001216d6574612d6c6c616d612f4c6c616d612d332e332d3730422d496e73747275637401000132',
  ],
  [
    events.TaskDeprecationEvent.serialize({ taskObject: fill('cd'), task: id(7), epoch: 13 }),
    'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd07000000000000000d00000000000000',
  ],
  [
    events.StackCreatedEvent.serialize({
      badge: fill('aa'),
      stack: id(10),
      owner: fill('bb'),
      task: id(3),
      node: id(11),
      units: 1_000_000,
      price: 1500,
    }),
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0a00000000000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb03000000000000000b0000000000000040420f0000000000dc05000000000000',
  ],
  [
    events.ClaimedStackEvent.serialize({
      stack: id(10),
      node: id(11),
      claimedUnits: 900_000,
      refund: 150,
    }),
    '0a000000000000000b00000000000000a0bb0d00000000009600000000000000',
  ],
] as const;

describe('event layouts', () => {
  it.each(vectors.map(([value, hex], index) => ({ index, value, hex })))(
    'agree with published vector $index',
    ({ value, hex }) => {
      expect(value.toHex()).toBe(hex);
    },
  );
});
