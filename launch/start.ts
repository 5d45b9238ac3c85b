/** What `npm start` does: everything that a first request needs, in order, and the proof that it works. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Closing } from '../runtime/closing.ts';
import type { HostPort } from '../runtime/config.ts';
import { createLogger } from '../runtime/log.ts';
import { createStorage } from '../storage/storage.ts';
import { startChild } from './child.ts';
import type { LaunchConfig } from './config.ts';
import {
  checkCredentials,
  completeOnce,
  demoCredentials,
  findChatModel,
  writeDemo,
} from './demo.ts';
import { startGateway } from './gateway.ts';
import { ensureOwnerKey, ensureReceiptKey } from './owner-key.ts';
import { freePorts, isFree, toText } from './ports.ts';
import { findRunning, removeRunFile, writeRunFile } from './run-file.ts';
import { supervise } from './supervised.ts';
import { type Env, findOnPath } from './tools/path.ts';

const firstAnswerMs = 30_000;
const modelMs = 10_000;
const devnetStopMs = 2000;

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

  const key = await ensureOwnerKey(dataDir);
  const receiptKey = await ensureReceiptKey(dataDir);
  const env = {
    ATOMA_RECEIPT_KEY_FILE: receiptKey.file,
    ...options.env,
    ATOMA_STACK_OWNER_KEY_FILE: key.file,
  };
  const devnetUrl = await startNetwork({ ...options, env }, { dataDir, address: key.address });
  say('starting Redis, the services and Envoy');
  const gateway = await startGateway({
    dataDir,
    env: { ...env, ...(devnetUrl === undefined ? {} : { ATOMA_DEVNET_URL: devnetUrl }) },
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
  await writeRunFile(dataDir, { redisUrl, baseUrl, envoyAdmin });
  const proven = await proveDemo({ baseUrl, redisUrl, dataDir, say });
  await writeDemo(dataDir, {
    baseUrl,
    apiKey: proven.apiKey,
    accountId: proven.accountId,
    envoyAdmin,
  });
  return { baseUrl, apiKey: proven.apiKey, model: proven.model };
}

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

/** The local network of simulated nodes, unless real ones are configured; its address, if there is one. */
async function startNetwork(
  { config, env, closing, say }: StartOptions,
  options: { dataDir: string; address: string },
): Promise<string | undefined> {
  if (config.ATOMA_DEVNET_URL !== undefined) return config.ATOMA_DEVNET_URL;
  if (config.ATOMA_NODES_FILE !== undefined) return undefined;
  say('starting a local network of simulated nodes');
  const [port = 0] = await freePorts(1);
  const listen = config.ATOMA_DEVNET_LISTEN ?? `127.0.0.1:${port}`;
  const logsDir = join(options.dataDir, 'logs');
  await mkdir(logsDir, { recursive: true });
  const guard = await findOnPath('setpriv', env);
  const network = await supervise({
    name: 'devnet',
    restartDelayMs: config.ATOMA_RESTART_DELAY_MS,
    onExit: () => say('the local network ended; it is started again'),
    start: () =>
      startChild({
        command: process.execPath,
        args: [join(import.meta.dirname, '..', 'devnet', 'main.ts')],
        env: {
          ...env,
          ATOMA_DEVNET_LISTEN: listen,
          ATOMA_STACK_OWNER_ADDRESS: options.address,
        },
        logFile: join(logsDir, 'devnet.log'),
        stopDeadlineMs: devnetStopMs,
        guard,
      }),
  });
  closing.add('devnet', network.stop);
  return `http://${listen}`;
}

async function proveDemo(options: {
  baseUrl: string;
  redisUrl: string;
  dataDir: string;
  say: (text: string) => void;
}) {
  const { baseUrl, redisUrl, dataDir, say } = options;
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
    return { ...credentials, model };
  } finally {
    storage.close();
  }
}
