/** A gateway of its own for one run: free ports, a temporary data folder, nodes of its own, accounts with money. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localModels } from '../devnet/local-network.ts';
import { parseUsd, picoUsd } from '../domain/money.ts';
import { completeOnce } from '../launch/demo.ts';
import { type Gateway, startGateway } from '../launch/gateway.ts';
import { ensureKeyFile, keyNames } from '../launch/key-file.ts';
import { openAccount } from '../launch/open-account.ts';
import { freePorts } from '../launch/ports.ts';
import { createLogger } from '../runtime/log.ts';
import { createStorage, type Storage } from '../storage/storage.ts';
import { env, note } from './env.ts';
import { type Helper, startHelper } from './helper.ts';

type Nodes =
  /** The network of `npm start`: both protocols, answers that depend on the prompt. */
  | { readonly kind: 'devnet' }
  /** One node with one constant answer, which costs next to nothing. */
  | { readonly kind: 'bench'; readonly events: number; readonly eventGapMs: number };

export type StandOptions = { readonly nodes: Nodes; readonly envoyConcurrency: number };

export type StandAccount = {
  readonly name: string;
  readonly accountId: string;
  readonly apiKey: string;
};

export type Stand = {
  readonly gateway: Gateway;
  readonly storage: Storage;
  /** Removed at the end. */
  readonly dataDir: string;
  /** Models that can be called for chats. */
  readonly models: readonly string[];
  /** The node, or the list of nodes, behind the gateway. */
  readonly nodesUrl: string;
  /** A funded account with a key without limits. */
  openAccount(name: string): Promise<StandAccount>;
  /** A helper process that ends with the stand. */
  startHelper(): Helper;
  /** Adds what is closed before the gateway is. */
  defer(closer: Closer): void;
};

type Closer = () => unknown;

const benchModel = 'load-test';
const credit = parseUsd('1000000') ?? picoUsd(0n);
const firstAnswerMs = 30_000;
const interruptedCode = 130;

/** Starts everything, runs, and stops all of it whatever happens: a failure, Ctrl-C, the end. */
export async function withStand<Result>(
  options: StandOptions,
  run: (stand: Stand) => Promise<Result>,
): Promise<Result> {
  const closers: Closer[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const onSignal = () => void close().finally(() => process.exit(interruptedCode));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    const stand = await startStand(options, (closer) => closers.push(closer));
    const pids = pidsOf(stand);
    const result = await run(stand);
    await reportEnded(stand, pids);
    return result;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    await close();
  }
}

const pidsOf = ({ gateway }: Stand) =>
  new Map(gateway.processes.map(({ name, pid }) => [name, pid()]));

/** A process that ended is started again, so that only its number tells; its logs are kept for whoever asks why. */
async function reportEnded(stand: Stand, before: ReadonlyMap<string, number>): Promise<void> {
  const now = pidsOf(stand);
  const ended = [...before.keys()].filter((name) => now.get(name) !== before.get(name));
  if (ended.length === 0) return;
  const kept = `${stand.dataDir}-ended`;
  await cp(stand.dataDir, kept, { recursive: true });
  note(`NOT AS IT MUST BE: ${ended.join(', ')} ended during the run; see the logs in ${kept}`);
  process.exitCode = 1;
}

async function startStand(options: StandOptions, defer: Stand['defer']): Promise<Stand> {
  const dataDir = await mkdtemp(join(tmpdir(), 'atoma-load-'));
  defer(() => rm(dataDir, { recursive: true, force: true }));
  const key = await ensureKeyFile(dataDir, keyNames.stackOwner);
  const helper = () => {
    const started = startHelper();
    defer(started.close);
    return started;
  };
  const nodes = await startNodes(options.nodes, {
    dataDir,
    stackOwnerAddress: key.address,
    node: helper(),
  });

  note('starting Redis, the services and Envoy');
  const gateway = await startGatewayWith({
    dataDir,
    envoyConcurrency: options.envoyConcurrency,
    env: { ...nodes.env, ATOMA_STACK_OWNER_KEY_FILE: key.file },
  });
  defer(gateway.close);
  const log = createLogger({ name: 'load', level: 'silent' });
  const storage = await createStorage({ redisUrl: gateway.redisUrl, log });
  defer(storage.close);

  const openNamed = async (name: string): Promise<StandAccount> => ({
    name,
    ...(await openAccount(storage, { name, credit })),
  });
  const first = await openNamed('first');
  for (const model of nodes.models) {
    await completeOnce({ ...first, baseUrl: gateway.baseUrl, model, timeoutMs: firstAnswerMs });
  }
  const { models, url: nodesUrl } = nodes;
  return {
    gateway,
    storage,
    dataDir,
    models,
    nodesUrl,
    openAccount: openNamed,
    startHelper: helper,
    defer,
  };
}

type StartedNodes = {
  readonly url: string;
  readonly models: readonly string[];
  /** How the control plane finds them. */
  readonly env: Readonly<Record<string, string>>;
};

async function startNodes(
  nodes: Nodes,
  options: { dataDir: string; stackOwnerAddress: string; node: Helper },
): Promise<StartedNodes> {
  if (nodes.kind === 'devnet') {
    const url = await options.node.startNetwork(options.stackOwnerAddress);
    const chats = localModels.filter(({ endpoints }) => endpoints.includes('chat'));
    const settings = { ATOMA_DEVNET_URL: url, ATOMA_NODES_FILE: '' };
    return { url, models: chats.map(({ id }) => id), env: settings };
  }
  const { events, eventGapMs } = nodes;
  const url = await options.node.startNode({ model: benchModel, events, eventGapMs });
  const nodesFile = join(options.dataDir, 'nodes.yaml');
  await writeFile(nodesFile, JSON.stringify(nodesFileOf(url)));
  const settings = { ATOMA_DEVNET_URL: '', ATOMA_NODES_FILE: nodesFile };
  return { url, models: [benchModel], env: settings };
}

const nodesFileOf = (url: string) => ({
  models: [
    {
      id: benchModel,
      endpoints: ['chat'],
      context_tokens: 8192,
      output_tokens_max: 1024,
      price: { input: '0.1', output: '0.4' },
    },
  ],
  nodes: [{ id: 'bench', url, protocol: 'openai', models: [benchModel] }],
});

async function startGatewayWith(options: {
  dataDir: string;
  envoyConcurrency: number;
  env: Readonly<Record<string, string>>;
}): Promise<Gateway> {
  const { dataDir, envoyConcurrency } = options;
  const [port = 0, adminPort = 0] = await freePorts(2);
  return startGateway({
    dataDir,
    env: { ...env, ATOMA_LOG_LEVEL: env.ATOMA_LOG_LEVEL ?? 'warn', ...options.env },
    listen: { host: '127.0.0.1', port },
    envoyAdmin: { host: '127.0.0.1', port: adminPort },
    replicas: { extAuthz: 1, extProc: 1 },
    envoyConcurrency,
    restartDelayMs: 500,
    progress: note,
  });
}
