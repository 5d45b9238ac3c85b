/** The stand-in full node: a chain behind the services of `sui.rpc.v2`, over native gRPC on loopback. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { GrpcTypes } from '@mysten/sui/grpc';
import { type AtomaIds, publishAtoma, upgradeAtoma } from './atoma-deployment.ts';
import { type Chain, type ChainOptions, createChain } from './chain.ts';
import { createExecutionService } from './execution-service.ts';
import { createLedgerService } from './ledger-service.ts';
import { createLists } from './list-service.ts';
import type { NodeContext } from './node-context.ts';
import { createFaultSwitch, type FaultSwitch } from './node-faults.ts';
import { suiType } from './objects.ts';
import { createPackageService } from './package-service.ts';
import { addService } from './serving.ts';
import { createSignatureService } from './signature-service.ts';
import { createStateService } from './state-service.ts';
import { landHeld } from './submit.ts';
import { createSubscriptionService } from './subscription-service.ts';

export type FullNodeOptions = ChainOptions & {
  readonly host?: string;
  readonly port?: number;
  /** A checkpoint is closed so often; 0 leaves that to `seal`. */
  readonly checkpointMs?: number;
};

/** One address at which the chain is served. */
type Provider = {
  /** `host:port` for a native gRPC transport. */
  readonly address: string;
  readonly faults: FaultSwitch;
  /** Cuts every connection, stays away for that long, and listens again at the same address. */
  restart(awayMs?: number): Promise<void>;
  close(): Promise<void>;
};

export type FullNode = Provider & {
  readonly chain: Chain;
  /** Gives an address USDC, in millionths; returns the coin's id. */
  fund(address: string, usdc: bigint): string;
  /** Gives an address SUI for gas, in MIST; returns the coin's id. */
  fundGas(address: string, mist: bigint): string;
  /** Publishes the Atoma contracts; the publisher becomes their manager. */
  publish(publisher: string): AtomaIds;
  /** Publishes a next version of them; returns its id. */
  upgrade(packageId: string): string;
  /** Closes a checkpoint over what was executed since the last. */
  seal(): void;
  advanceEpoch(): void;
  /** Forgets checkpoints below that one. */
  prune(below: bigint): void;
  /** Executes the transactions that the fault `lost-before` held back; returns the digests that landed. */
  landHeld(): string[];
  /** Another provider of the same chain, with faults of its own; it refuses the cursors of this one. */
  startProvider(options?: { readonly host?: string; readonly port?: number }): Promise<Provider>;
};

const checkpointMsDefault = 250;
const farewellMs = 10;
const messageBytesMax = 32 * 1024 * 1024;

/** Makes a new chain, and starts serving it. */
export async function startFullNode(options: FullNodeOptions = {}): Promise<FullNode> {
  const { checkpointMs = checkpointMsDefault } = options;
  const chain = createChain(options);
  const timer = checkpointMs > 0 ? setInterval(() => chain.ledger.seal(), checkpointMs) : undefined;
  const others: Provider[] = [];
  const first = await startProvider(chain, { ...options, name: 'provider-1' });
  return {
    ...first,
    chain,
    ...createTools(chain),
    async startProvider(place = {}) {
      const name = `provider-${others.length + 2}`;
      const provider = await startProvider(chain, { ...place, name });
      others.push(provider);
      return provider;
    },
    async close() {
      clearInterval(timer);
      await Promise.all([first, ...others].map((provider) => provider.close()));
    },
  };
}

function createTools(chain: Chain) {
  const { ledger, usdcType } = chain;
  return {
    fund: (address: string, amount: bigint) => chain.fund(address, { type: usdcType, amount }),
    fundGas: (address: string, amount: bigint) => chain.fund(address, { type: suiType, amount }),
    publish: (publisher: string) => publishAtoma(chain, publisher),
    upgrade: (packageId: string) => upgradeAtoma(chain, packageId),
    seal(): void {
      ledger.seal();
    },
    advanceEpoch: ledger.advanceEpoch,
    prune: ledger.prune,
    landHeld: () => landHeld(chain),
  };
}

async function startProvider(
  chain: Chain,
  options: { readonly host?: string; readonly port?: number; readonly name: string },
): Promise<Provider> {
  const { host = '127.0.0.1', name: provider } = options;
  const faults = createFaultSwitch();
  let open = new AbortController();
  const context: NodeContext = { chain, faults, provider, signal: () => open.signal };
  let server = createServer(context);
  const port = await listen(server, { host, port: options.port ?? 0 });

  async function stop(): Promise<void> {
    open.abort();
    // Subscribers hear UNAVAILABLE before the connection goes.
    await sleep(farewellMs);
    server.forceShutdown();
  }

  return {
    address: `${host}:${port}`,
    faults,
    async restart(awayMs = 0) {
      await stop();
      await sleep(awayMs);
      open = new AbortController();
      server = createServer(context);
      await listen(server, { host, port });
    },
    close: stop,
  };
}

function createServer(context: NodeContext): Server {
  const server = new Server({
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
  });
  const { chain, faults } = context;
  const headers = () => ({
    'x-sui-chain-id': faults.current().chainId ?? chain.chainId(),
    'x-sui-checkpoint-height': String(chain.ledger.history.height()),
    'x-sui-lowest-available-checkpoint': String(chain.ledger.history.lowest()),
  });
  const setup = { server, faults, headers };
  const ledger = { ...createLedgerService(context), ...createLists(context) };
  addService(GrpcTypes.LedgerService, ledger, setup);
  addService(GrpcTypes.SubscriptionService, createSubscriptionService(context), setup);
  addService(GrpcTypes.StateService, createStateService(context), setup);
  addService(GrpcTypes.TransactionExecutionService, createExecutionService(context), setup);
  addService(GrpcTypes.SignatureVerificationService, createSignatureService(context), setup);
  addService(GrpcTypes.MovePackageService, createPackageService(context), setup);
  addService(GrpcTypes.NameService, {}, setup);
  return server;
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
}
