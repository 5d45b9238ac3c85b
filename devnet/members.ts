/** The nodes of a local network, and how each of them is found: in the network's list, or on the chain alone. */
import { suiAddress } from '../domain/chain-ids.ts';
import type { Logger } from '../runtime/log.ts';
import { type AtomaNodeHandle, createAtomaNode, keystoreEntryOf } from './atoma-node.ts';
import { type ChainLife, joinChain } from './chain-life.ts';
import type { LocalChain } from './local-chain.ts';
import type { NetworkDocument, NetworkModel, NetworkNode } from './network-schema.ts';
import type { NodeHandle } from './node-server.ts';
import { createOpenAiNode } from './openai-node.ts';
import type { ServedModel } from './served-model.ts';
import type { createStackMarket } from './stack-market.ts';

export type Member =
  | { readonly kind: 'openai'; readonly spec: NetworkNode; readonly handle: NodeHandle }
  | { readonly kind: 'listed'; readonly spec: NetworkNode; readonly handle: AtomaNodeHandle }
  | {
      readonly kind: 'chain';
      readonly spec: NetworkNode;
      readonly handle: AtomaNodeHandle;
      readonly life: ChainLife;
    };

/** Where Atoma nodes are found. */
export type AtomaHome =
  | { readonly kind: 'listed'; readonly market: ReturnType<typeof createStackMarket> }
  | {
      readonly kind: 'chain';
      readonly chain: LocalChain;
      /** Where nodes tell their addresses. */
      readonly gatewayUrl: string | undefined;
      readonly log: Logger;
    };

type Setting = {
  readonly models: readonly NetworkModel[];
  readonly home: AtomaHome;
  readonly host: string;
  readonly keepAliveMs: number | undefined;
};

/** Resolves when the node answers, and is on the chain where it lives there. */
export async function startMember(spec: NetworkNode, setting: Setting): Promise<Member> {
  const { models, home, host, keepAliveMs } = setting;
  const served = models
    .filter(({ id }) => spec.models.includes(id))
    .map(({ id, endpoints, context_tokens }) => ({ id, endpoints, contextTokens: context_tokens }));
  const common = { id: spec.id, host, port: spec.port, pace: spec.pace, models: served };
  if (spec.protocol === 'openai') {
    return { kind: 'openai', spec, handle: await createOpenAiNode(common) };
  }
  const silence = keepAliveMs === undefined ? {} : { keepAliveMs };
  const start = (stacks: Parameters<typeof createAtomaNode>[0]['stacks']) =>
    createAtomaNode({ ...common, ...silence, nonces: spec.nonces, stacks });
  if (home.kind === 'listed') {
    const stacks = served.map(({ id }) => home.market.issue(spec.id, id));
    return { kind: 'listed', spec, handle: await start(stacks) };
  }
  const handle = await start([]);
  return { kind: 'chain', spec, handle, life: await join(handle, { spec, served, home }) };
}

/** Its key owns the node on the chain and signs its answers, as with real nodes. */
function join(
  node: AtomaNodeHandle,
  options: {
    readonly spec: NetworkNode;
    readonly served: readonly ServedModel[];
    readonly home: AtomaHome & { kind: 'chain' };
  },
): Promise<ChainLife> {
  const { spec, served, home } = options;
  const { chain, gatewayUrl, log } = home;
  chain.giveGas(suiAddress(node.signerAddress));
  return joinChain({
    place: chain.place,
    node,
    keystoreEntry: keystoreEntryOf(spec.id),
    subscriptions: served.flatMap(({ id }) => {
      const taskId = chain.tasks.get(id);
      return taskId === undefined ? [] : [{ taskId, pricePerMillion: BigInt(spec.unit_price) }];
    }),
    country: spec.country,
    keyRound: chain.keyRound,
    gatewayUrl,
    log: log.child({ node: spec.id }),
  });
}

/** How the network's list shows the node; not at all where the chain is the place to find it. */
export function entryOf(member: Member, home: AtomaHome): NetworkDocument['nodes'] {
  const { kind, spec, handle } = member;
  if (kind === 'chain') return [];
  const { id, protocol, weight, models } = spec;
  const stacksOf = (model: string) =>
    kind === 'listed' && home.kind === 'listed' ? home.market.list(handle, model) : [];
  const signer_address = kind === 'listed' ? handle.signerAddress : '';
  const sealing_key = kind === 'listed' ? handle.sealingKey() : '';
  const served = models.map((model) => ({ id: model, stacks: stacksOf(model) }));
  return [{ id, url: handle.url, protocol, weight, signer_address, sealing_key, models: served }];
}

export async function closeMember(member: Member): Promise<void> {
  if (member.kind === 'chain') await member.life.close();
  await member.handle.close();
}
