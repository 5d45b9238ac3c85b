/** What `npm start` does: everything that a first request needs, in order, and the proof that it works. */
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ChainDocument } from '../devnet/network-schema.ts';
import type { Closing } from '../runtime/closing.ts';
import type { HostPort } from '../runtime/config.ts';
import { createLogger } from '../runtime/log.ts';
import { createStorage } from '../storage/storage.ts';
import { type ChainKeys, chainSettings, describeChain, fundTreasury } from './chain.ts';
import type { LaunchConfig } from './config.ts';
import {
  checkCredentials,
  completeOnce,
  demoCredentials,
  findChatModel,
  writeDemo,
} from './demo.ts';
import { depositDemo } from './demo-deposit.ts';
import { startGateway } from './gateway.ts';
import { ensureKeyFile, keyNames } from './key-file.ts';
import { readChain, startLocalNetwork } from './local-network.ts';
import { isFree, toText } from './ports.ts';
import { findRunning, type RunFile, removeRunFile, writeRunFile } from './run-file.ts';
import type { Env } from './tools/path.ts';

const firstAnswerMs = 30_000;
const modelMs = 10_000;

export type Started = {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Nothing where no model for chats can be called yet. */
  readonly model: string | undefined;
};

export type StartOptions = {
  readonly config: LaunchConfig;
  readonly env: Env;
  readonly closing: Closing;
  readonly say: (text: string) => void;
};

/** Resolves when a first completion has gone through. @throws with a sentence for the person who started it. */
export async function start(options: StartOptions): Promise<Started> {
  const { config, closing, say } = options;
  const dataDir = resolve(config.ATOMA_DATA_DIR);
  await mkdir(dataDir, { recursive: true });
  await assertAlone(dataDir, [config.ATOMA_LISTEN, config.ATOMA_ENVOY_ADMIN]);
  await writeRunFile(dataDir, {});
  closing.add('run file', () => removeRunFile(dataDir));

  const keys: ChainKeys = {
    stackOwner: await ensureKeyFile(dataDir, keyNames.stackOwner),
    treasury: await ensureKeyFile(dataDir, keyNames.treasury),
  };
  const receiptKey = await ensureKeyFile(dataDir, keyNames.receipt);
  const networkUrl = await startNetwork(options, dataDir);
  const chain = networkUrl === undefined ? undefined : await readChain(networkUrl);
  const depositsFrom = chain ? await fundTreasury(chain, keys) : 0n;
  say('starting Redis, the services and Envoy');
  const gateway = await startGateway({
    dataDir,
    env: {
      ATOMA_RECEIPT_KEY_FILE: receiptKey.file,
      ...options.env,
      ATOMA_STACK_OWNER_KEY_FILE: options.env.ATOMA_STACK_OWNER_KEY_FILE || keys.stackOwner.file,
      ...(networkUrl === undefined ? {} : { ATOMA_DEVNET_URL: networkUrl }),
      ...(chain ? chainSettings(chain, { ...keys, depositsFrom }) : {}),
    },
    listen: config.ATOMA_LISTEN,
    envoyAdmin: config.ATOMA_ENVOY_ADMIN,
    redisUrl: config.REDIS_URL,
    replicas: {
      extAuthz: config.ATOMA_EXT_AUTHZ_REPLICAS,
      extProc: config.ATOMA_EXT_PROC_REPLICAS,
    },
    envoyConcurrency: config.ATOMA_ENVOY_CONCURRENCY,
    restartDelayMs: config.ATOMA_RESTART_DELAY_MS,
    progress: say,
    onStarting: (close) => closing.add('gateway', close),
  });

  const { baseUrl, redisUrl } = gateway;
  const envoyAdmin = toText(config.ATOMA_ENVOY_ADMIN);
  const onChain = runningOn(chain, { keys, env: options.env });
  await writeRunFile(dataDir, { redisUrl, baseUrl, envoyAdmin, ...onChain });
  const proven = await proveDemo({ baseUrl, redisUrl, dataDir, chain, keys, say });
  await writeDemo(dataDir, {
    baseUrl,
    apiKey: proven.apiKey,
    accountId: proven.accountId,
    envoyAdmin,
  });
  return { baseUrl, apiKey: proven.apiKey, model: proven.model };
}

/** How the operator's command knows the chain and who the gateway is there. */
const runningOn = (
  chain: ChainDocument | undefined,
  { keys, env }: { readonly keys: ChainKeys; readonly env: Env },
): Partial<RunFile> =>
  chain
    ? {
        suiChainId: chain.chain_id,
        suiDatabase: chain.database_id,
        treasury: keys.treasury.address,
        stackOwner: keys.stackOwner.address,
      }
    : {
        suiChainId: env.ATOMA_SUI_CHAIN_ID,
        suiDatabase: env.ATOMA_SUI_DATABASE,
        treasury: env.ATOMA_TREASURY_ADDRESS,
        stackOwner: env.ATOMA_STACK_OWNER_ADDRESS,
      };

async function assertAlone(dataDir: string, addresses: readonly HostPort[]): Promise<void> {
  const pid = await findRunning(dataDir);
  if (pid !== undefined) {
    throw new Error(
      `Process ${pid} runs on ${dataDir} already. Stop it, or set ATOMA_DATA_DIR to another folder.`,
    );
  }
  for (const address of addresses) {
    if (!(await isFree(address))) {
      throw new Error(
        `${toText(address)} is in use. Set ATOMA_LISTEN and ATOMA_ENVOY_ADMIN to free addresses.`,
      );
    }
  }
}

/** The address of the local network, unless real nodes are configured. */
async function startNetwork(
  { config, env, closing, say }: StartOptions,
  dataDir: string,
): Promise<string | undefined> {
  if (config.ATOMA_DEVNET_URL !== undefined) return config.ATOMA_DEVNET_URL;
  if (config.ATOMA_NODES_FILE !== undefined || config.ATOMA_SUI_FULL_NODE !== undefined) {
    return undefined;
  }
  say('starting a local network of simulated nodes, and a chain for them');
  const { url, process } = await startLocalNetwork({
    dataDir,
    env,
    listen: config.ATOMA_DEVNET_LISTEN,
    gatewayUrl: `http://${toText(config.ATOMA_LISTEN)}`,
    restartDelayMs: config.ATOMA_RESTART_DELAY_MS,
    say,
  });
  closing.add('devnet', process.stop);
  return url;
}

async function proveDemo(options: {
  baseUrl: string;
  redisUrl: string;
  dataDir: string;
  chain: ChainDocument | undefined;
  keys: ChainKeys;
  say: (text: string) => void;
}) {
  const { baseUrl, redisUrl, dataDir, chain, keys, say } = options;
  const log = createLogger({ name: 'launch', level: 'silent' });
  const storage = await createStorage({ redisUrl, log });
  try {
    const credentials = await demoCredentials(storage, dataDir);
    const model = await findChatModel(storage, modelMs);
    if (model === undefined) {
      say('no model for chats can be called yet: add nodes, and prices with "admin model price"');
    } else {
      say(`sending a first completion to ${model}`);
      const check = await checkCredentials(storage, dataDir);
      await completeOnce({ ...check, baseUrl, model, timeoutMs: firstAnswerMs });
    }
    if (chain) {
      const { apiKey } = credentials;
      const treasury = keys.treasury.address;
      const [deposit, lines] = await Promise.all([
        depositDemo({ baseUrl, apiKey, dataDir, chain, treasury }),
        describeChain(chain, storage),
      ]);
      for (const line of [...lines, deposit]) say(line);
    }
    return { ...credentials, model };
  } finally {
    storage.close();
  }
}
