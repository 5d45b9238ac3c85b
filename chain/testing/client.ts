/** The real client against a test's full node, with pauses that a test can wait for. */
import { createFullNode } from '../client.ts';
import type { FullNode } from '../full-node.ts';
import { testChainId } from './full-node.ts';
import { databaseId, definingPackage } from './ledger.ts';

export const testIds = { chainId: testChainId, definingPackage, databaseId };

/** A stream is given up after so short a silence unless told otherwise. */
const streamSilenceMsDefault = 300;

export function connectTo(
  { host }: { host: string },
  { streamSilenceMsMax = streamSilenceMsDefault } = {},
): FullNode {
  return createFullNode({
    host,
    tls: false,
    pauseMs: () => 2,
    callDeadlineMs: 2000,
    streamSilenceMsMax,
    ids: testIds,
  });
}
