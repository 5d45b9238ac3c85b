/** Stacks for nodes whose last one is gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestGateway, until } from './gateway.ts';

/** What Envoy takes to follow the control plane, which puts a stack into the pool once it has told Envoy of it. */
const followMs = 50;

/** Sells the node a stack for this model unless it has one that pays; returns once requests go there. */
export async function restock(
  { devnet, storage }: TestGateway,
  { node, model }: { readonly node: string; readonly model: string },
): Promise<void> {
  const own = () =>
    new Set(
      devnet
        .atomaNode(node)
        .stacks()
        .map(({ id }) => id),
    );
  const isLive = async () => {
    const { stacks } = await storage.unitPool.state(model);
    return stacks.some(({ id, live }) => live && own().has(id));
  };
  if (await isLive()) return;
  devnet.sellStack(node, model);
  await until(isLive);
  await sleep(followMs);
}
