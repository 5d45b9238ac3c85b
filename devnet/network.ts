/** A local network: several nodes, the list of them that discovery reads, and the operator's controls. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Logger } from '../runtime/log.ts';
import type { AtomaNodeHandle } from './atoma-node.ts';
import type { ChainLife } from './chain-life.ts';
import { listenOn } from './listening.ts';
import type { LocalChain } from './local-chain.ts';
import { type AtomaHome, closeMember, entryOf, type Member, startMember } from './members.ts';
import { controlPath, obey, type Reply } from './network-controls.ts';
import {
  type ChainDocument,
  type NetworkDocument,
  type NetworkModelInput,
  type NetworkNodeInput,
  networkModelSchema,
  networkNodeSchema,
} from './network-schema.ts';
import type { NodeHandle } from './node-server.ts';
import { createStackMarket } from './stack-market.ts';

const stackUnitsDefault = 100_000_000;
const controlBytesMax = 65_536;

type CommonOptions = {
  readonly models: readonly NetworkModelInput[];
  readonly nodes: readonly NetworkNodeInput[];
  readonly host?: string;
  readonly port?: number;
  readonly keepAliveMs?: number;
};

/** Atoma nodes stand in the list, with stacks that are simply there. */
type ListedOptions = {
  /** The Sui address that owns the stacks: the gateway's stack-owner key. */
  readonly stackOwnerAddress: string;
  readonly stackUnits?: number;
  /** Whether a new stack is on sale before the last is used up, unless told otherwise. */
  readonly sellsAhead?: boolean;
};

/** Atoma nodes are found on the chain alone, and whoever wants a stack buys it there. */
type ChainOptions = {
  readonly chain: LocalChain;
  /** Where nodes tell their addresses. */
  readonly gatewayUrl?: string | undefined;
  readonly log: Logger;
};

export type DevnetOptions = CommonOptions & (ListedOptions | ChainOptions);

export type Devnet = {
  readonly url: string;
  readonly nodes: readonly NodeHandle[];
  /** The node of that id; a wrong id is a bug of the caller. */
  node(id: string): NodeHandle;
  /** The same for a node of the Atoma protocol. */
  atomaNode(id: string): AtomaNodeHandle;
  /** Sells another stack of the node to the gateway. */
  sellStack(id: string, model: string): string;
  /** What the node of that id does on the chain; that of another node is a bug of the caller. */
  life(id: string): ChainLife;
  document(): NetworkDocument;
  close(): Promise<void>;
};

/** Starts all nodes, then the network's own server. */
export async function startDevnet(options: DevnetOptions): Promise<Devnet> {
  const { host = '127.0.0.1', port = 0, keepAliveMs } = options;
  const models = options.models.map((model) => networkModelSchema.parse(model));
  const specs = options.nodes.map((node) => networkNodeSchema.parse(node));
  const home = homeOf(options);
  const members = await Promise.all(
    specs.map((spec) => startMember(spec, { models, home, host, keepAliveMs })),
  );
  const document = () => ({
    models,
    nodes: members.flatMap((member) => entryOf(member, home)),
  });
  const pages = new Map<string, () => unknown>([['/network', document]]);
  if (home.kind === 'chain') pages.set('/chain', () => chainDocument(home.chain, members));
  const server = createServer((request, response) => {
    void handle(request, { members, pages }).then((reply) => respond(response, reply));
  });
  const listening = await listenOn(server, { host, port });
  const memberOf = (id: string): Member => {
    const found = members.find(({ spec }) => spec.id === id);
    if (!found) throw new Error(`no node ${id}`);
    return found;
  };
  const atomaNode = (id: string) => {
    const found = memberOf(id);
    if (found.kind === 'openai') throw new Error(`${id} is no Atoma node`);
    return found.handle;
  };
  return {
    url: listening.url,
    nodes: members.map(({ handle: node }) => node),
    node: (id) => memberOf(id).handle,
    life(id) {
      const member = memberOf(id);
      if (member.kind !== 'chain') throw new Error(`${id} is not on the chain`);
      return member.life;
    },
    atomaNode,
    sellStack(id, model) {
      if (home.kind === 'chain') throw new Error('stacks are sold on the chain');
      const grant = home.market.issue(id, model);
      atomaNode(id).sellStack(grant);
      return grant.id;
    },
    document,
    async close() {
      await listening.close();
      await Promise.all(members.map(closeMember));
    },
  };
}

function homeOf(options: DevnetOptions): AtomaHome {
  if ('chain' in options) {
    const { chain, gatewayUrl, log } = options;
    return { kind: 'chain', chain, gatewayUrl, log };
  }
  const { stackOwnerAddress: owner, stackUnits: units = stackUnitsDefault } = options;
  const keepsAhead = options.sellsAhead ?? true;
  return { kind: 'listed', market: createStackMarket({ owner, units, keepsAhead }) };
}

/** All that a gateway must be told of the chain, and who lives there. */
function chainDocument(chain: LocalChain, members: readonly Member[]): ChainDocument {
  const { place, usdcType, controlUrl } = chain;
  const { chainId, definingPackage, databaseId } = place.ids;
  return {
    full_node: `http://${place.fullNode}`,
    chain_id: chainId,
    package_id: definingPackage,
    database_id: databaseId,
    usdc_type: usdcType,
    control_url: controlUrl,
    nodes: members.flatMap((member) => {
      if (member.kind !== 'chain') return [];
      const { spec, handle: node, life } = member;
      const small_id = String(life.nodeId);
      return [
        { id: spec.id, small_id, url: node.url, owner: node.signerAddress, models: spec.models },
      ];
    }),
  };
}

async function handle(
  request: IncomingMessage,
  network: {
    readonly members: readonly Member[];
    readonly pages: ReadonlyMap<string, () => unknown>;
  },
): Promise<Reply> {
  const { method = '', url = '' } = request;
  const page = network.pages.get(url);
  if (method === 'GET' && page) return { status: 200, json: page() };
  const [, id, what = ''] = controlPath.exec(url) ?? [];
  const member = network.members.find(({ spec }) => spec.id === id);
  if (method !== 'PUT' || !member) return { status: 404, json: { error: 'no such page or node' } };
  return obey(member, { what, json: await readJson(request) });
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

function respond(response: ServerResponse, { status, json }: Reply): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(json));
}
