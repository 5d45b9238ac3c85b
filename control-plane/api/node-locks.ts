/** `POST /v1/nodes/lock`: which node a caller may seal a request to, and by which stack it is paid. */
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { ApiKey } from '../../domain/api-key.ts';
import { smallIdIn } from '../../domain/chain-ids.ts';
import type { Failure } from '../../domain/failure.ts';
import type { Fleet, FleetNode } from '../../domain/fleet.ts';
import type { Catalogue } from '../../domain/model.ts';
import { lockPath } from '../../domain/names.ts';
import { lockLifeMs, locksMax, type NodeLock } from '../../domain/node-lock.ts';
import { invalid } from '../../domain/request-fields.ts';
import { readJson } from './body.ts';
import { findModel } from './find-model.ts';
import { toResponse } from './response.ts';

export type LockPorts = {
  readonly catalogue: () => Catalogue;
  /** The nodes that may be sent something now, each with the stacks that can pay; the first is the one to use. */
  readonly fleet: () => Fleet;
  /** False where the account has too many open locks. */
  readonly addLock: (lock: NodeLock) => Promise<boolean>;
  /** From 0 to 1. */
  readonly random: () => number;
};

const bodyBytesMax = 4096;
const retryAfterMs = 5000;

/** What SDKs send; those of other gateways add limits of their own, which mean nothing here. */
const request = z.looseObject({ model: z.string().min(1).max(256) });

/** A node and the stack that pays. */
type Place = { readonly node: FleetNode; readonly stackId: string };

export function addLockEndpoint(
  api: Hono,
  ports: LockPorts,
  keyOf: (context: Context) => Promise<ApiKey | Failure>,
): void {
  api.post(lockPath, async (context) => {
    const key = await keyOf(context);
    if ('kind' in key) return toResponse(key);
    const body = await readJson(context, bodyBytesMax);
    if (body.kind !== 'json') return toResponse(body);
    const parsed = request.safeParse(body.value);
    if (!parsed.success) return toResponse(invalid('model', 'You must provide a model.'));
    const locked = await lock(parsed.data.model, { key, ports });
    return 'kind' in locked ? toResponse(locked) : Response.json(locked);
  });
  api.all(lockPath, () => toResponse({ kind: 'method-not-allowed', allow: 'POST' }));
}

async function lock(id: string, { key, ports }: { key: ApiKey; ports: LockPorts }) {
  const model = findModel(ports.catalogue(), { key, id });
  if ('kind' in model) return model;
  const place = draw(placesFor(ports.fleet(), id), ports.random());
  if (!place) return { kind: 'no-node', model: id, retryAfterMs } as const;
  const { node, stackId } = place;
  const { sealingKey } = node;
  const isAdded = await ports.addLock({
    accountId: key.accountId,
    model: id,
    stackId,
    sealingKey,
    nodeId: node.id,
    address: addressOf(node),
  });
  return isAdded ? toLockObject(place) : { ...tooMany, retryAfterMs };
}

const tooMany = { kind: 'locks-exceeded', limit: locksMax } as const;

/** Nodes that open sealed requests and have a stack for the model. */
function placesFor({ nodes }: Fleet, model: string): Place[] {
  return nodes.flatMap((node) => {
    const stackId = node.models.find((one) => one.model === model)?.stacks[0]?.id;
    const isUsable = node.protocol === 'atoma' && node.sealingKey !== '';
    return isUsable && stackId !== undefined && isExact(stackId) ? [{ node, stackId }] : [];
  });
}

/** Clients read the id as a number of JavaScript. */
const isExact = (id: string) => Number.isSafeInteger(Number(id));

/** One of the places, as often as its node's weight says. */
function draw(places: readonly Place[], random: number): Place | undefined {
  const total = places.reduce((sum, { node }) => sum + node.weight, 0);
  let left = random * total;
  return places.find(({ node }) => {
    left -= node.weight;
    return left < 0;
  });
}

const addressOf = ({ ip, port }: FleetNode) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;

/** As SDKs demand it; the numbers are no ids of anything where the node is not on the chain. */
const toLockObject = ({ node, stackId }: Place) => ({
  public_key: node.sealingKey,
  node_small_id: Number(smallIdIn(node.id) ?? 0n),
  stack_small_id: Number(stackId),
  stack_entry_digest: null,
  expires_in_ms: lockLifeMs,
});
