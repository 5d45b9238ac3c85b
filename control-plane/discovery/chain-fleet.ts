/**
 * The fleet that the chain's rows and the registered addresses make. Pure: who serves what comes from the chain, where it
 * listens from the node's owner, and whether it can be reached there from whoever checked the address.
 */
import { type ChainState, type Rows, subscriptionId } from '../../chain/indexer/state.ts';
import { toBase64 } from '../../confidential/base64.ts';
import { isCanonicalKey, publicKeyBytes } from '../../confidential/keys.ts';
import {
  type NodeSmallId,
  nodeNameOf,
  nodeSmallId,
  type SuiAddress,
} from '../../domain/chain-ids.ts';
import type { Fleet, FleetNode, ModelOffer, OfferedPrice, Stack } from '../../domain/fleet.ts';
import { type PicoUsd, picoUsd, picoUsdMax } from '../../domain/money.ts';
import { judgeTasks, type ServedTask } from './chain-tasks.ts';

/** Where a node listens, as checked. */
export type NodeAddress =
  | (Pick<FleetNode, 'host' | 'ip' | 'port' | 'tls'> & {
      readonly kind: 'usable';
      /** Holds the node's badge, and signs its answers. */
      readonly owner: SuiAddress;
    })
  | { readonly kind: 'unusable'; readonly reason: string };

/** What the chain does not tell of a model; an operator's file says it better. */
export type ModelDefaults = Pick<ModelOffer, 'contextTokensMax' | 'outputTokensMax'>;

/** What an operator sees of a node; one with a reason gets no traffic. */
type NodeStanding = {
  readonly node: string;
  readonly models: readonly string[];
  readonly reason: string | undefined;
};

export type ChainFleet = {
  readonly fleet: Fleet;
  readonly standings: readonly NodeStanding[];
  readonly passedOver: ReturnType<typeof judgeTasks>['passedOver'];
};

export type ChainRows = Pick<
  ChainState,
  'nodes' | 'tasks' | 'subscriptions' | 'stacks' | 'keys' | 'rotation'
>;

/** One subscription, with our stacks for it. */
type Offer = {
  readonly nodeId: string;
  readonly task: ServedTask;
  readonly asked: bigint;
  readonly stacks: readonly Rows['stacks'][];
};

/** A million units at this price are all that an amount can hold: what asks for more is not offered. */
const unitPriceMax = picoUsdMax / 1_000_000n;
const weightMax = 100;

/** `addresses` by the node's small id. */
export function toChainFleet(options: {
  readonly rows: ChainRows;
  readonly addresses: ReadonlyMap<string, NodeAddress>;
  readonly defaults: ModelDefaults;
  /** Of its ordinary weight, by the node's small id; from 1 to 100. */
  readonly percentOf: (nodeId: NodeSmallId) => number;
}): ChainFleet {
  const { rows, addresses, defaults, percentOf } = options;
  const { served, passedOver } = judgeTasks(rows.tasks.values());
  const offers = offersOf(rows, served);
  const byNode = Map.groupBy(offers, ({ nodeId }) => nodeId);
  const byModel = Map.groupBy(offers, ({ task }) => task.model);
  const isRoutable = ({ nodeId, stacks }: Offer) =>
    stacks.length > 0 && addresses.get(nodeId)?.kind === 'usable';
  return {
    fleet: {
      models: [...byModel].map(([id, all]) => toModel(id, { all, isRoutable, defaults })),
      nodes: [...byNode].flatMap(([nodeId, own]) =>
        toNode(own, {
          nodeId,
          address: addresses.get(nodeId),
          sealingKey: sealingKeyOf(rows, nodeId),
          percentOf,
        }),
      ),
    },
    standings: [...rows.nodes.keys()]
      .sort(byNumber)
      .map((nodeId) => toStanding(nodeId, byNode.get(nodeId) ?? [], addresses.get(nodeId))),
    passedOver,
  };
}

/** Rows come in any order; what is made of them has one: the oldest stack is used first. */
const byNumber = (left: string, right: string) => Number(BigInt(left) - BigInt(right));

function offersOf(rows: ChainRows, served: ReadonlyMap<string, ServedTask>): Offer[] {
  const open = [...rows.stacks.values()]
    .filter(({ standing }) => standing === 'open')
    .sort((left, right) => Number(left.stackId - right.stackId));
  const stacks = Map.groupBy(open, subscriptionId);
  const subscriptions = [...rows.subscriptions.values()].sort(
    (left, right) => Number(left.taskId - right.taskId) || Number(left.nodeId - right.nodeId),
  );
  return subscriptions.flatMap((subscription) => {
    const task = served.get(String(subscription.taskId));
    const { nodeId, pricePerMillion: asked } = subscription;
    if (!task || asked > unitPriceMax || !rows.nodes.has(String(nodeId))) return [];
    const own = stacks.get(subscriptionId(subscription)) ?? [];
    return [{ nodeId: String(nodeId), task, asked, stacks: own }];
  });
}

function toModel(
  id: string,
  options: {
    readonly all: readonly Offer[];
    readonly isRoutable: (offer: Offer) => boolean;
    readonly defaults: ModelDefaults;
  },
): ModelOffer {
  const { all, isRoutable, defaults } = options;
  const endpoints = all[0]?.task.endpoints ?? [];
  return {
    id,
    createdSeconds: 0,
    ownedBy: 'atoma',
    endpoints,
    ...defaults,
    mediaTokensMax: defaults.contextTokensMax,
    price: toPrice(endpoints, unitPriceOf(all, isRoutable)),
  };
}

/**
 * What the dearest stack in use cost: no call is sold below what it was bought for, and no node raises a price by asking,
 * only by being bought from. Without such a stack the lowest that is asked.
 */
function unitPriceOf(all: readonly Offer[], isRoutable: (offer: Offer) => boolean): PicoUsd {
  const paid = all
    .filter(isRoutable)
    .flatMap(({ stacks }) => stacks.map(({ pricePerMillion }) => pricePerMillion))
    .filter((price) => price <= unitPriceMax);
  const [first = 0n, ...rest] = paid.length > 0 ? paid : all.map(({ asked }) => asked);
  const isBetter = (price: bigint, than: bigint) => (paid.length > 0 ? price > than : price < than);
  return picoUsd(rest.reduce((best, price) => (isBetter(price, best) ? price : best), first));
}

/** Millionths of a dollar per million units are as many pico-dollars per unit; a unit is a token, or a pixel. */
function toPrice(endpoints: ModelOffer['endpoints'], unit: PicoUsd): OfferedPrice {
  const free = picoUsd(0n);
  const isImages = endpoints.includes('images');
  const token = isImages ? free : unit;
  return {
    inputToken: token,
    cachedInputToken: token,
    outputToken: token,
    image: free,
    imagePixel: isImages ? unit : free,
  };
}

function toNode(
  own: readonly Offer[],
  options: {
    readonly nodeId: string;
    readonly address: NodeAddress | undefined;
    readonly sealingKey: string;
    readonly percentOf: (nodeId: NodeSmallId) => number;
  },
): FleetNode[] {
  const { nodeId, address, percentOf } = options;
  if (address?.kind !== 'usable') return [];
  const { host, ip, port, tls, owner } = address;
  const models = [...Map.groupBy(own, ({ task }) => task.model)].map(([model, offers]) => ({
    model,
    stacks: offers.flatMap(({ stacks }) => stacks).flatMap(toStack),
  }));
  const place = { host, ip, port, tls };
  return [
    {
      id: nodeNameOf(nodeId),
      ...place,
      protocol: 'atoma',
      weight: Math.max(1, Math.round((weightMax * percentOf(nodeSmallId(BigInt(nodeId)))) / 100)),
      signerAddress: owner,
      sealingKey: options.sealingKey,
      models,
    },
  ];
}

/**
 * The key of the node's last commitment, where it was made for the present rotation: what the contract stores may be older
 * than the key in use, and a node forgets its key when the next rotation begins.
 */
function sealingKeyOf({ keys, rotation }: ChainRows, nodeId: string): string {
  const row = keys.get(nodeId);
  if (row?.source !== 'event' || row.rotation !== rotation.get('current')?.rotation) return '';
  const { publicKey } = row;
  return publicKey.length === publicKeyBytes && isCanonicalKey(publicKey)
    ? toBase64(publicKey)
    : '';
}

/** The contract sells no more than a million units at once; a number that could not be counted exactly is left out. */
function toStack({ stackId, units }: Rows['stacks']): Stack[] {
  const count = Number(units);
  return Number.isSafeInteger(count) ? [{ id: String(stackId), units: count }] : [];
}

function toStanding(
  nodeId: string,
  own: readonly Offer[],
  address: NodeAddress | undefined,
): NodeStanding {
  const models = [...new Set(own.map(({ task }) => task.model))];
  return { node: nodeNameOf(nodeId), models, reason: reasonAgainst(own, address) };
}

function reasonAgainst(
  own: readonly Offer[],
  address: NodeAddress | undefined,
): string | undefined {
  if (own.length === 0) return 'subscribed to nothing that is served';
  if (!address) return 'its owner has registered no address';
  if (address.kind === 'unusable') return address.reason;
  return own.some(({ stacks }) => stacks.length > 0) ? undefined : 'the gateway has no open stack';
}
