/** A local network: several nodes, the list of them that discovery reads, and the operator's controls. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { type AtomaNodeHandle, createAtomaNode } from './atoma-node.ts';
import { faultSchema, paceChangeSchema } from './faults.ts';
import { listenOn } from './listening.ts';
import {
  type NetworkDocument,
  type NetworkModel,
  type NetworkModelInput,
  type NetworkNode,
  type NetworkNodeInput,
  networkModelSchema,
  networkNodeSchema,
} from './network-schema.ts';
import type { NodeHandle } from './node-server.ts';
import { createOpenAiNode } from './openai-node.ts';
import { createStackMarket } from './stack-market.ts';

const stackUnitsDefault = 100_000_000;
const controlBytesMax = 65_536;

export type DevnetOptions = {
  readonly models: readonly NetworkModelInput[];
  readonly nodes: readonly NetworkNodeInput[];
  /** The Sui address that owns the stacks: the gateway's stack-owner key. */
  readonly stackOwnerAddress: string;
  readonly host?: string;
  readonly port?: number;
  readonly stackUnits?: number;
  /** Whether a new stack is on sale before the last is used up, unless told otherwise. */
  readonly sellsAhead?: boolean;
  readonly keepAliveMs?: number;
};

type Member =
  | { readonly spec: NetworkNode; readonly kind: 'openai'; readonly handle: NodeHandle }
  | { readonly spec: NetworkNode; readonly kind: 'atoma'; readonly handle: AtomaNodeHandle };

export type Devnet = {
  readonly url: string;
  readonly nodes: readonly NodeHandle[];
  /** The node of that id; a wrong id is a bug of the caller. */
  node(id: string): NodeHandle;
  /** The same for a node of the Atoma protocol. */
  atomaNode(id: string): AtomaNodeHandle;
  /** Sells another stack of the node to the gateway. */
  sellStack(id: string, model: string): string;
  document(): NetworkDocument;
  close(): Promise<void>;
};

/** Starts all nodes, then the network's own server. */
export async function startDevnet(options: DevnetOptions): Promise<Devnet> {
  const models = options.models.map((model) => networkModelSchema.parse(model));
  const specs = options.nodes.map((node) => networkNodeSchema.parse(node));
  const market = createStackMarket({
    owner: options.stackOwnerAddress,
    units: options.stackUnits ?? stackUnitsDefault,
    keepsAhead: options.sellsAhead ?? true,
  });
  const members = await Promise.all(
    specs.map((spec) => startMember(spec, { models, market, options })),
  );
  const document = () => ({ models, nodes: members.map((member) => entryOf(member, market)) });
  const server = createServer((request, response) => {
    void handle(request, { members, document }).then(({ status, json }) =>
      respond(response, status, json),
    );
  });
  const { host = '127.0.0.1', port = 0 } = options;
  const listening = await listenOn(server, { host, port });
  const nodes = members.map(({ handle: node }) => node);
  const atomaNode = (id: string) => {
    const found = members.find(({ spec }) => spec.id === id);
    if (found?.kind !== 'atoma') throw new Error(`no Atoma node ${id}`);
    return found.handle;
  };
  return {
    url: listening.url,
    nodes,
    node(id) {
      const found = nodes.find((node) => node.id === id);
      if (!found) throw new Error(`no node ${id}`);
      return found;
    },
    atomaNode,
    sellStack(id, model) {
      const grant = market.issue(id, model);
      atomaNode(id).sellStack(grant);
      return grant.id;
    },
    document,
    async close() {
      await listening.close();
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}

async function startMember(
  spec: NetworkNode,
  context: {
    models: readonly NetworkModel[];
    market: ReturnType<typeof createStackMarket>;
    options: DevnetOptions;
  },
): Promise<Member> {
  const { models, market, options } = context;
  const served = models
    .filter(({ id }) => spec.models.includes(id))
    .map(({ id, endpoints, context_tokens }) => ({ id, endpoints, contextTokens: context_tokens }));
  const { host = '127.0.0.1' } = options;
  const common = { id: spec.id, host, port: spec.port, pace: spec.pace, models: served };
  if (spec.protocol === 'openai') {
    return { spec, kind: 'openai', handle: await createOpenAiNode(common) };
  }
  const stacks = served.map(({ id }) => market.issue(spec.id, id));
  const { keepAliveMs } = options;
  const silence = keepAliveMs === undefined ? {} : { keepAliveMs };
  const node = { ...common, ...silence, nonces: spec.nonces, stacks };
  return { spec, kind: 'atoma', handle: await createAtomaNode(node) };
}

function entryOf(
  { spec, kind, handle }: Member,
  market: ReturnType<typeof createStackMarket>,
): NetworkDocument['nodes'][number] {
  const { id, protocol, weight, models } = spec;
  const isAtoma = kind === 'atoma';
  return {
    id,
    url: handle.url,
    protocol,
    weight,
    signer_address: isAtoma ? handle.signerAddress : '',
    sealing_key: isAtoma ? handle.sealingKey() : '',
    models: models.map((model) => ({
      id: model,
      stacks: isAtoma ? market.list(handle, model) : [],
    })),
  };
}

type Reply = { readonly status: number; readonly json: unknown };

const faultOrder = z.strictObject({
  fault: faultSchema.nullable(),
  requests: z.int().min(1).optional(),
});

async function handle(
  request: IncomingMessage,
  network: { members: readonly Member[]; document: () => NetworkDocument },
): Promise<Reply> {
  const { method = '', url = '' } = request;
  if (method === 'GET' && url === '/network') return { status: 200, json: network.document() };
  const match = /^\/nodes\/([^/]+)\/(fault|pace)$/.exec(url);
  const member = network.members.find(({ spec }) => spec.id === match?.[1]);
  if (method !== 'PUT' || !member) return { status: 404, json: { error: 'no such page or node' } };
  const json = await readJson(request);
  return match?.[2] === 'pace' ? setPace(member, json) : setFault(member, json);
}

function setPace({ handle: node }: Member, json: unknown): Reply {
  const pace = paceChangeSchema.safeParse(json);
  if (!pace.success) return { status: 400, json: { error: z.prettifyError(pace.error) } };
  node.setPace(pace.data);
  return { status: 200, json: pace.data };
}

function setFault({ handle: node }: Member, json: unknown): Reply {
  const order = faultOrder.safeParse(json);
  if (!order.success) return { status: 400, json: { error: z.prettifyError(order.error) } };
  const { fault, requests } = order.data;
  if (fault) node.setFault(fault, requests === undefined ? undefined : { requests });
  else node.clearFault();
  return { status: 200, json: order.data };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  try {
    for await (const chunk of request) {
      text += String(chunk);
      if (text.length > controlBytesMax) return undefined;
    }
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function respond(response: ServerResponse, status: number, json: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(json));
}
