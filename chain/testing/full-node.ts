/**
 * An in-process full node over a test ledger: real gRPC, read masks, cursors, watermarks and end reasons, and the faults
 * that a follower has to live with.
 */
import { once } from 'node:events';
import type { GrpcTypes } from '@mysten/sui/grpc';
import type { LedgerEvent } from '../full-node.ts';
import { definingPackage, type TestLedger } from './ledger.ts';
import { listedFrames } from './listing.ts';
import { refuse, type Sink, serveMethods } from './server.ts';
import { createStateMethods } from './state-methods.ts';

export const testChainId = 'test-chain';

/** May be changed while the node runs. */
export type Faults = {
  /** Cursors of one provider mean nothing to another. */
  provider: string;
  /** Otherwise a foreign cursor is taken for some other place of the ledger, without a word. */
  refusesCursors: boolean;
  chainId: string;
  listsEvents: boolean;
  /** How far the event index is behind. */
  lagCheckpoints: bigint;
  scanCheckpointsMax: bigint;
  itemsMax: number;
  lowestCheckpoint: bigint;
  rowsPerPage: number;
  /** Stays silent in mid-stream instead of answering. */
  hangs: boolean;
  ignoresFilter: boolean;
  /** Lists events in the wrong order. */
  disorders: boolean;
  packages: readonly string[];
  /** Whether a call fails, or a stream breaks before a frame, this time. */
  fails(what: 'call' | 'stream'): boolean;
};

export type TestFullNode = {
  readonly host: string;
  readonly faults: Faults;
  close(): void;
};

export async function startFullNode(
  ledger: TestLedger,
  options: Partial<Faults> & { port?: number } = {},
): Promise<TestFullNode> {
  const { port = 0, ...changed } = options;
  const faults: Faults = {
    provider: 'one',
    refusesCursors: true,
    chainId: testChainId,
    listsEvents: true,
    lagCheckpoints: 0n,
    scanCheckpointsMax: 1000n,
    itemsMax: 100,
    lowestCheckpoint: 0n,
    rowsPerPage: 1000,
    hangs: false,
    ignoresFilter: false,
    disorders: false,
    packages: [definingPackage],
    fails: () => false,
    ...changed,
  };
  const server = await serveMethods(
    port,
    { ...createLedgerMethods(ledger, faults), ...createStateMethods(ledger, faults) },
    createStreams(ledger, faults),
  );
  return { host: `127.0.0.1:${server.port}`, faults, close: server.close };
}

function createLedgerMethods(ledger: TestLedger, faults: Faults) {
  return {
    async getServiceInfo(): Promise<GrpcTypes.GetServiceInfoResponse> {
      if (faults.fails('call')) refuse('UNAVAILABLE');
      return {
        chainId: faults.chainId,
        checkpointHeight: ledger.height,
        lowestAvailableCheckpoint: faults.lowestCheckpoint,
      };
    },

    async getCheckpoint(request: GrpcTypes.GetCheckpointRequest) {
      if (faults.fails('call')) refuse('UNAVAILABLE');
      const { checkpointId } = request;
      if (checkpointId.oneofKind !== 'sequenceNumber') refuse('INVALID_ARGUMENT');
      const height = checkpointId.sequenceNumber;
      if (height > ledger.height || height < faults.lowestCheckpoint) refuse('NOT_FOUND');
      return { checkpoint: checkpointAt({ ledger, height, asked: request.readMask?.paths ?? [] }) };
    },

    async listPackageVersions(): Promise<GrpcTypes.ListPackageVersionsResponse> {
      const versions = faults.packages.map((packageId, index) => ({
        packageId,
        version: BigInt(index + 1),
      }));
      return { versions };
    },
  };
}

function createStreams(ledger: TestLedger, faults: Faults) {
  const failing = () => {
    if (faults.fails('stream')) refuse('UNAVAILABLE');
  };
  return {
    async listEvents(
      request: GrpcTypes.ListEventsRequest,
      sink: Sink<GrpcTypes.ListEventsResponse>,
    ): Promise<void> {
      if (!faults.listsEvents) refuse('UNIMPLEMENTED');
      sink.sendHeader('x-sui-lowest-available-checkpoint', `${faults.lowestCheckpoint}`);
      for (const frame of listedFrames({ ledger, faults, request })) {
        failing();
        if (faults.hangs) await once(sink.left, 'abort');
        await sink.send(frame);
      }
    },

    async subscribeCheckpoints(
      _request: GrpcTypes.SubscribeCheckpointsRequest,
      sink: Sink<GrpcTypes.SubscribeCheckpointsResponse>,
    ): Promise<void> {
      while (!sink.left.aborted) {
        await ledger.nextCheckpoint(sink.left);
        failing();
        await sink.send({ cursor: ledger.height });
      }
    },
  };
}

function checkpointAt(options: { ledger: TestLedger; height: bigint; asked: readonly string[] }) {
  const { ledger, height, asked } = options;
  const transactions: GrpcTypes.ExecutedTransaction[] = [];
  for (const event of ledger.events.filter(({ position }) => position.checkpoint === height)) {
    const place = Number(event.position.transaction);
    const known = transactions[place] ?? { ...emptyTransaction, events: { events: [] } };
    transactions[place] = {
      ...known,
      ...(asked.includes('transactions.digest') && { digest: event.transactionDigest }),
      ...(asked.includes('transactions.events') && {
        events: { events: [...(known.events?.events ?? []), contentOf(event)] },
      }),
    };
  }
  return {
    ...(asked.includes('sequence_number') && { sequenceNumber: height }),
    transactions: Array.from(transactions, (transaction) => transaction ?? emptyTransaction),
  };
}

const emptyTransaction = { signatures: [], balanceChanges: [] };
const contentOf = ({ type, contents }: LedgerEvent) => ({
  eventType: type,
  contents: { value: contents },
});
