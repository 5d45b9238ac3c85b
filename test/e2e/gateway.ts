/** A whole gateway on free ports, with a network of stand-in nodes in this process, for one test file. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import { type Devnet, startDevnet } from '../../devnet/network.ts';
import type { NetworkModelInput, NetworkNodeInput } from '../../devnet/network-schema.ts';
import { parseUsd } from '../../domain/money.ts';
import { type Gateway, startGateway } from '../../launch/gateway.ts';
import { type AccountOrder, openAccount } from '../../launch/open-account.ts';
import { ensureOwnerKey } from '../../launch/owner-key.ts';
import { freePorts } from '../../launch/ports.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { testEnv } from '../tools.ts';
import { until as untilHolds } from '../until.ts';
import { models, nodes } from './fleet.ts';

export type TestGateway = {
  readonly baseUrl: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly gateway: Gateway;
  readonly devnet: Devnet;
  readonly storage: Storage;
  /** A key of an account with ten dollars. */
  readonly apiKey: string;
  readonly accountId: string;
  readonly client: OpenAI;
  openAccount(
    options: AccountOptions,
  ): Promise<{ accountId: string; apiKey: string; keyId: string }>;
  clientFor(apiKey: string): OpenAI;
  /** What a process has written so far. */
  readLog(name: string): Promise<string>;
  /** Where all processes write theirs. */
  readonly logsDir: string;
  close(): Promise<void>;
};

type AccountOptions = Omit<AccountOrder, 'name' | 'credit'> & { readonly usd: string };

export type TestGatewayOptions = {
  readonly models?: readonly NetworkModelInput[];
  readonly nodes?: readonly NetworkNodeInput[];
  readonly stackUnits?: number;
  /** Whether new stacks are sold before old ones are used up, unless told otherwise. */
  readonly sellsAhead?: boolean;
  readonly replicas?: { readonly extAuthz: number; readonly extProc: number };
  readonly env?: Readonly<Record<string, string>>;
  readonly restartDelayMs?: number;
  /** In place of a private Redis. */
  readonly redisUrl?: string;
};

const catalogueMs = 20_000;

/** Starts everything and waits until every model of the fleet can be called. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'atoma-e2e-'));
  const offered = options.models ?? models;
  const key = await ensureOwnerKey(dataDir);
  const devnet = await startDevnet({
    models: offered,
    nodes: options.nodes ?? nodes,
    stackOwnerAddress: key.address,
    ...(options.stackUnits === undefined ? {} : { stackUnits: options.stackUnits }),
    ...(options.sellsAhead === undefined ? {} : { sellsAhead: options.sellsAhead }),
  });
  const gateway = await startOnFreePorts(dataDir, {
    ...options,
    env: {
      ATOMA_STACK_OWNER_KEY_FILE: key.file,
      ATOMA_DEVNET_URL: devnet.url,
      ...options.env,
    },
  });
  const storage = await createStorage({
    redisUrl: gateway.redisUrl,
    log: silentLog,
  });
  const open = (account: AccountOptions) => openAccountIn(storage, account);
  const clientFor = (apiKey: string) =>
    new OpenAI({ baseURL: `${gateway.baseUrl}/v1`, apiKey, maxRetries: 0 });
  const { accountId, apiKey } = await open({ usd: '10' });
  await untilServed(storage, offered.length);

  return {
    baseUrl: gateway.baseUrl,
    env: testEnv,
    gateway,
    devnet,
    storage,
    apiKey,
    accountId,
    client: clientFor(apiKey),
    openAccount: open,
    clientFor,
    logsDir: join(dataDir, 'logs'),
    readLog: (name) => readFile(join(dataDir, 'logs', `${name}.log`), 'utf8'),
    async close() {
      storage.close();
      await gateway.close();
      await devnet.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function startOnFreePorts(dataDir: string, options: TestGatewayOptions): Promise<Gateway> {
  const [listen = 0, admin = 0] = await freePorts(2);
  const host = '127.0.0.1';
  try {
    return await startGateway({
      dataDir,
      env: { ...testEnv, ...options.env },
      listen: { host, port: listen },
      envoyAdmin: { host, port: admin },
      replicas: options.replicas ?? { extAuthz: 1, extProc: 1 },
      envoyConcurrency: 2,
      redisUrl: options.redisUrl,
      restartDelayMs: options.restartDelayMs ?? 500,
      progress: () => undefined,
    });
  } catch (cause) {
    const logs = ['control-plane', 'ext-authz-1', 'ext-proc-1'].map((name) =>
      readFile(join(dataDir, 'logs', `${name}.log`), 'utf8').catch(() => ''),
    );
    throw new Error(
      `the gateway did not start\n${(await Promise.all(logs)).join('\n').slice(-4000)}`,
      {
        cause,
      },
    );
  }
}

async function openAccountIn(storage: Storage, { usd, ...rest }: AccountOptions) {
  const credit = parseUsd(usd);
  if (credit === undefined) throw new Error(`not an amount: ${usd}`);
  return openAccount(storage, { name: 'test', credit, ...rest });
}

async function untilServed(storage: Storage, count: number): Promise<void> {
  await until(async () => {
    const catalogue = await storage.catalogue.read();
    return catalogue.models.filter(({ protocols }) => protocols.length > 0).length >= count;
  }, catalogueMs);
  // ext-authz follows the catalogue by a notice.
  await delay(200);
}

/** Waits until the condition holds. @throws with its source where it does not in time. */
export const until = (
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> => untilHolds(`${condition}`, condition, timeoutMs);

/** Waits until nothing is reserved any more. */
export const untilSettled = (gateway: TestGateway, accountId: string, timeoutMs = 10_000) =>
  until(async () => (await gateway.storage.ledger.balance(accountId)).reserved === 0n, timeoutMs);
