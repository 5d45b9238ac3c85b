/**
 * The endpoints that no node serves: models, account, usage, health. Envoy stands before them: ext-authz has checked the
 * key and names account and key in headers, which Envoy removes from what clients send. Hence this must listen where
 * only Envoy can reach it, and does so on loopback unless configured otherwise.
 */
import { type Context, Hono } from 'hono';
import type { ApiKey } from '../../domain/api-key.ts';
import type { Failure } from '../../domain/failure.ts';
import type { Catalogue } from '../../domain/model.ts';
import { headers } from '../../domain/names.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Account } from '../../storage/accounts.ts';
import type { UsagePage } from '../../storage/usage-list.ts';
import type { NodeDesk } from '../nodes/desk.ts';
import { invalidCursor, parseUsageQuery, toAccountObject, toUsageList } from './account-objects.ts';
import { addDepositEndpoints, type DepositPorts } from './deposits.ts';
import { allows, findModel } from './find-model.ts';
import { isPriced, toModelObject } from './model-object.ts';
import { addLockEndpoint, type LockPorts } from './node-locks.ts';
import { addNodeRoutes } from './node-routes.ts';
import { toResponse } from './response.ts';

export type ApiPorts = {
  readonly catalogue: () => Catalogue;
  readonly findKey: (keyId: string) => Promise<ApiKey | undefined>;
  readonly findAccount: (accountId: string) => Promise<Account | undefined>;
  /** Nothing where `before` is no cursor. */
  readonly usagePage: (options: {
    accountId: string;
    before: string | undefined;
    limit: number;
  }) => Promise<UsagePage | undefined>;
  readonly locks: Omit<LockPorts, 'catalogue'>;
  /** Nothing where no chain is configured: wallets and deposits are then unknown paths. */
  readonly deposits: DepositPorts | undefined;
  /** Throws where the storage does not answer. */
  readonly ping: () => Promise<void>;
  /** Takes in what nodes tell of themselves; nothing where no chain is followed. */
  readonly nodes: NodeDesk | undefined;
  readonly log: Logger;
};

const retryAfterMs = 1000;

/** Answers every request; each refusal has the shape of an OpenAI error. */
export function createApi(ports: ApiPorts): Hono {
  const api = new Hono();
  api.get('/health', (context) => answerHealth(context, ports));
  api.get('/v1/models', (context) => listModels(context, ports));
  // Ids hold slashes, plain or as %2F, so the rest of the path is the id.
  api.get('/v1/models/*', (context) => showModel(context, ports));
  api.get('/v1/account', (context) => showAccount(context, ports));
  api.get('/v1/account/usage', (context) => listUsage(context, ports));
  for (const path of [
    '/health',
    '/v1/models',
    '/v1/models/*',
    '/v1/account',
    '/v1/account/usage',
  ]) {
    api.all(path, () => toResponse({ kind: 'method-not-allowed', allow: 'GET' }));
  }
  addLockEndpoint(api, { ...ports.locks, catalogue: ports.catalogue }, (context) =>
    keyOf(context, ports),
  );
  if (ports.nodes) addNodeRoutes(api, ports.nodes);
  if (ports.deposits) addDepositEndpoints(api, ports.deposits);
  api.notFound(() => toResponse({ kind: 'path-unknown' }));
  api.onError((cause) => {
    // What throws here is the storage: everything else is decided by values.
    ports.log.error({ err: cause }, 'a request of the API failed');
    return toResponse({ kind: 'gateway-unavailable', retryAfterMs });
  });
  return api;
}

async function answerHealth(context: Context, { ping, log }: ApiPorts): Promise<Response> {
  try {
    await ping();
    return context.json({ message: 'ok', status: 'ok' });
  } catch (cause) {
    log.warn({ err: cause }, 'the storage does not answer');
    return context.json({ message: 'The storage cannot be reached.', status: 'unavailable' }, 503);
  }
}

async function listModels(context: Context, ports: ApiPorts): Promise<Response> {
  const key = await keyOf(context, ports);
  if ('kind' in key) return toResponse(key);
  const models = ports
    .catalogue()
    .models.filter(isPriced)
    .filter((model) => allows(key, model));
  return context.json({ object: 'list', data: models.map(toModelObject) });
}

async function showModel(context: Context, ports: ApiPorts): Promise<Response> {
  const key = await keyOf(context, ports);
  if ('kind' in key) return toResponse(key);
  const found = findModel(ports.catalogue(), { key, id: modelIdIn(context.req.path) });
  return 'kind' in found ? toResponse(found) : context.json(toModelObject(found));
}

async function showAccount(context: Context, ports: ApiPorts): Promise<Response> {
  const accountId = context.req.header(headers.account);
  if (accountId === undefined) return toResponse({ kind: 'key-missing' });
  const account = await ports.findAccount(accountId);
  return account ? context.json(toAccountObject(account)) : toResponse({ kind: 'not-found' });
}

async function listUsage(context: Context, ports: ApiPorts): Promise<Response> {
  const accountId = context.req.header(headers.account);
  if (accountId === undefined) return toResponse({ kind: 'key-missing' });
  const query = parseUsageQuery(context.req.query());
  if (query.kind !== 'query') return toResponse(query);
  const page = await ports.usagePage({ accountId, before: query.before, limit: query.limit });
  return page ? context.json(toUsageList(page)) : toResponse(invalidCursor(context.req.query()));
}

async function keyOf(context: Context, { findKey }: ApiPorts): Promise<ApiKey | Failure> {
  const keyId = context.req.header(headers.key);
  if (keyId === undefined) return { kind: 'key-missing' };
  return (await findKey(keyId)) ?? { kind: 'key-invalid' };
}

function modelIdIn(path: string): string {
  const text = path.slice('/v1/models/'.length);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
