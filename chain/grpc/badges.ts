/** The badges that an address holds: whoever holds a node's badge is the node's owner. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { NodeBadge } from '../../domain/chain-object.ts';
import { decodeExact } from '../bcs/exact.ts';
import { nodeBadge } from '../bcs/objects.ts';
import { type FullNode, FullNodeError } from '../full-node.ts';
import type { Connection } from './connection.ts';
import { expectAddress, expectDecoded, expectSet } from './expect.ts';
import { pagesOf } from './pages.ts';

const pageObjectsMax = 1000;
const readMask = { paths: ['object_id', 'object_type', 'owner', 'contents'] };

/** The part of the port that reads badges. `definingPackage` defines their type. */
export function createBadgeReader(options: {
  connection: Connection;
  definingPackage: SuiAddress;
}): Pick<FullNode, 'nodeBadges'> {
  const { connection } = options;
  const objectType = `${options.definingPackage}::db::NodeBadge`;
  return {
    async *nodeBadges(owner, signal) {
      const first = { owner, objectType, pageSize: pageObjectsMax, readMask };
      const pages = pagesOf((next) =>
        connection.call(signal, (call) =>
          connection.client.stateService.listOwnedObjects({ ...first, ...next }, call),
        ),
      );
      for await (const page of pages) {
        yield page.objects.map((object) => badgeFrom(object, { owner, objectType }));
      }
    },
  };
}

type Listed = {
  readonly objectId?: string;
  readonly objectType?: string;
  readonly owner?: { readonly address?: string };
  readonly contents?: { readonly value?: Uint8Array };
};

/** A listing that answers with what was not asked for makes nobody an owner. */
function badgeFrom(object: Listed, expected: { owner: SuiAddress; objectType: string }): NodeBadge {
  const owner = expectAddress(object.owner?.address, 'owner');
  const type = expectSet(object.objectType, 'object_type');
  if (owner !== expected.owner || type !== expected.objectType) {
    throw new FullNodeError('protocol', `asked for badges of ${expected.owner}, got a ${type}`);
  }
  const contents = expectSet(object.contents?.value, 'contents');
  const badge = expectDecoded('NodeBadge', () => decodeExact(nodeBadge, contents));
  if (badge.objectId !== expectAddress(object.objectId, 'object_id')) {
    throw new FullNodeError('protocol', `${object.objectId} is not the badge's own id`);
  }
  return badge;
}
