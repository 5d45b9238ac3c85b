/** Who owns a node: whoever holds its badge on the chain now. */
import type { FullNode } from '../../chain/full-node.ts';
import type { SuiAddress } from '../../domain/chain-ids.ts';

/** Badges beyond these are not looked through: nobody runs so many nodes on one key. */
const badgesMax = 10_000;

/** The nodes whose badges the address holds; throws a `FullNodeError` where the chain cannot be asked. */
export async function nodesOwnedBy(
  owner: SuiAddress,
  options: { readonly fullNode: Pick<FullNode, 'nodeBadges'>; readonly signal: AbortSignal },
): Promise<ReadonlySet<string>> {
  const nodes = new Set<string>();
  let seen = 0;
  for await (const page of options.fullNode.nodeBadges(owner, options.signal)) {
    for (const { nodeId } of page) nodes.add(String(nodeId));
    seen += page.length;
    if (seen >= badgesMax) break;
  }
  return nodes;
}
