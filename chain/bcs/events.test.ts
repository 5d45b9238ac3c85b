import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ChainEvent, type ChainEventKind, chainEventKinds } from '../../domain/chain-event.ts';
import { nodeSmallId, suiAddress, taskSmallId } from '../../domain/chain-ids.ts';
import { anyAddress, anyEvent } from '../testing/arbitraries.ts';
import vectors from '../vectors.json' with { type: 'json' };
import { createEventTypes } from './event-types.ts';
import { decodeEvent, encodeEvent, eventName } from './events.ts';

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const definer = suiAddress(`0x${'ab'.repeat(32)}`);
const types = createEventTypes([definer]);
const typeOf = (kind: ChainEventKind) => `${definer}::db::${eventName(kind)}`;

function kindNamed(name: string): ChainEventKind {
  const kind = chainEventKinds.find((candidate) => eventName(candidate) === name);
  if (kind === undefined) throw new Error(`no event is named ${name}`);
  return kind;
}

/** What the Move fields are called in the domain, where that is not the same for every event. */
const namesByEvent: Record<string, Record<string, string>> = {
  StackAttestationDisputeEvent: {
    attestation_commitment: 'attestedProof',
    original_node_id: 'nodeId',
    original_commitment: 'proof',
  },
};
const names: Record<string, string> = {
  db: 'databaseId',
  manager_badge: 'managerBadgeId',
  badge_id: 'badgeId',
  node_small_id: 'nodeId',
  task_small_id: 'taskId',
  stack_small_id: 'stackId',
  selected_node_id: 'nodeId',
  node_id: 'nodeId',
  attestation_node_id: 'attestingNodeId',
  requested_attestation_nodes: 'attestingNodes',
  attestation_nodes: 'attestingNodes',
  key_rotation_counter: 'rotation',
  new_public_key: 'publicKey',
  device_type: 'deviceType',
  evidence_bytes: 'evidence',
  model_name: 'model',
  echelon_id: 'echelonId',
  price_per_one_million_compute_units: 'pricePerMillion',
  max_num_compute_units: 'unitsMax',
  num_compute_units: 'units',
  num_claimed_compute_units: 'unitsClaimed',
  user_refund_amount: 'refund',
  task_id: 'objectId',
  security_level: 'securityLevel',
  minimum_reputation_score: 'reputationMin',
  removed_at_epoch: 'epoch',
  dispute_settled_at_epoch: 'settledAtEpoch',
  stack_id: 'badgeId',
  committed_stack_proof: 'proof',
  stack_merkle_leaf: 'leaf',
};

const nameOf = (event: string, field: string) =>
  namesByEvent[event]?.[field] ?? names[field] ?? field;

/** A value of the published JSON as the domain has it. */
function domainValue(json: unknown): unknown {
  if (typeof json === 'string' && /^\d+$/.test(json)) return BigInt(json);
  if (Array.isArray(json)) {
    const items: unknown[] = json;
    return items.length > 0 && items.every((item) => typeof item === 'number')
      ? Uint8Array.from(items)
      : items.map(domainValue);
  }
  if (typeof json === 'object' && json !== null) return domainValue(Object.values(json)[0]);
  return json;
}

describe('the codecs', () => {
  it('cover all 18 events', () => {
    expect(chainEventKinds).toHaveLength(18);
    expect(new Set(vectors.bcs_events.map(({ name }) => name))).toEqual(
      new Set(chainEventKinds.map(eventName)),
    );
  });

  it.each(vectors.bcs_events)('read and write $name as published', ({ name, json, bcs_hex }) => {
    const event = decodeEvent(kindNamed(name), hex(bcs_hex));
    const { kind, ...fields } = event;
    const published = Object.entries(json).map(([field, value]) => [
      nameOf(name, field),
      domainValue(value),
    ]);
    expect(fields).toEqual(Object.fromEntries(published));
    expect(kind).toBe(kindNamed(name));
    expect(Buffer.from(encodeEvent(event)).toString('hex')).toBe(bcs_hex);
  });

  it.each(Object.entries(vectors.bcs_events_move_vm.vectors))(
    'read %s as a Move VM wrote it',
    (name, text) => {
      const event = decodeEvent(kindNamed(name), hex(text));
      expect(Buffer.from(encodeEvent(event)).toString('hex')).toBe(text);
    },
  );

  it('do not mix up the node and the task of the two subscription events', () => {
    const ids = { nodeId: 11n, taskId: 3n };
    const [subscribed, updated] = ['NodeSubscribedToTaskEvent', 'NodeSubscriptionUpdatedEvent'].map(
      (wanted) => {
        const vector = vectors.bcs_events.find(({ name }) => name === wanted);
        return decodeEvent(kindNamed(wanted), hex(vector?.bcs_hex ?? ''));
      },
    );
    expect([subscribed, updated]).toMatchObject([ids, ids]);
  });

  it('read what they write', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        expect(decodeEvent(event.kind, encodeEvent(event))).toEqual(event);
      }),
      { numRuns: 1000 },
    );
  });

  it('refuse what is short or goes on', () => {
    fc.assert(
      fc.property(anyEvent, fc.nat(), fc.uint8Array({ minLength: 1 }), (event, cut, rest) => {
        const contents = encodeEvent(event);
        const short = contents.subarray(0, cut % contents.length);
        expect(() => decodeEvent(event.kind, short)).toThrow();
        expect(() => decodeEvent(event.kind, Buffer.concat([contents, rest]))).toThrow();
      }),
      { numRuns: 1000 },
    );
  });

  it('read no two byte strings as the same event', () => {
    fc.assert(
      fc.property(anyEvent, fc.nat(), fc.integer({ min: 1, max: 255 }), (event, at, flip) => {
        const mutated = Uint8Array.from(encodeEvent(event));
        mutated[at % mutated.length] = (mutated[at % mutated.length] ?? 0) ^ flip;
        expect(readOrRefuse(event.kind, mutated)).not.toEqual(event);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a length with a redundant byte', '0100000000000000816d000200000000000000'],
    ['a long form of a short length', '010000000000000081006d0200000000000000'],
    ['a name that is not ASCII', '010000000000000002c3a90200000000000000'],
    ['a name that is not UTF-8', '010000000000000001ff0200000000000000'],
    ['a length beyond the end', '0100000000000000ffffffffffffff0f6d02'],
    ['nothing', ''],
  ])('refuse %s', (_, text) => {
    expect(() => decodeEvent('node-subscribed-to-model', hex(text))).toThrow();
  });

  it('refuse an Option that is neither none nor some', () => {
    const id = 'cc'.repeat(32);
    const registered = `${id}07000000000000000000`;
    const none = hex(`${registered}00010000`);
    expect(decodeEvent('task-registered', none)).toMatchObject({ model: undefined });
    expect(() => decodeEvent('task-registered', hex(`${registered}02010000`))).toThrow();
  });
});

function readOrRefuse(kind: ChainEventKind, contents: Uint8Array): ChainEvent | undefined {
  try {
    return decodeEvent(kind, contents);
  } catch {
    return undefined;
  }
}

describe('the type of an event', () => {
  const claimed = encodeEvent({
    kind: 'node-unsubscribed',
    taskId: taskSmallId(3n),
    nodeId: nodeSmallId(11n),
  });

  it('decides what is the contract’s own, in any spelling', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const reading = types.read(typeOf(event.kind), encodeEvent(event));
        expect(reading).toEqual({ kind: 'event', event });
      }),
    );
    const padded = createEventTypes([suiAddress(`0x${'0'.repeat(62)}a1`)]);
    expect(padded.read('0xa1::db::NodeUnsubscribedFromTaskEvent', claimed)).toMatchObject({
      kind: 'event',
    });
  });

  it('makes an event of the same name from elsewhere foreign', () => {
    fc.assert(
      fc.property(anyAddress, anyEvent, (other, event) => {
        fc.pre(other !== definer);
        const reading = types.read(`${other}::db::${eventName(event.kind)}`, encodeEvent(event));
        expect(reading).toEqual({ kind: 'foreign' });
      }),
    );
  });

  it.each([
    `${definer}::gate::Text2TextPromptEvent`,
    `${definer}::settlement::StackCreatedEvent`,
    `${definer}::db::UnknownEvent`,
    `${definer}::db::NodeUnsubscribedFromTaskEvent<u8>`,
    'NodeUnsubscribedFromTaskEvent',
    '',
    '::::',
  ])('is foreign: %s', (type) => {
    expect(types.read(type, claimed)).toEqual({ kind: 'foreign' });
  });

  it('makes contents of another layout poison, not an exception', () => {
    expect(types.read(typeOf('stack-created'), claimed)).toMatchObject({ kind: 'poison' });
  });

  it('may come from several versions of the package', () => {
    const later = suiAddress(`0x${'cd'.repeat(32)}`);
    const both = createEventTypes([definer, later]);
    expect(both.all).toHaveLength(36);
    expect(both.read(`${later}::db::NodeUnsubscribedFromTaskEvent`, claimed).kind).toBe('event');
  });
});
