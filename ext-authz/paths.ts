/** Which path and method mean what; query strings play no part. */
import type { Scope } from '../domain/api-key.ts';
import type { Failure } from '../domain/failure.ts';
import type { Endpoint } from '../domain/model.ts';

/** An endpoint that nodes serve for money, or a part of the gateway's own API. */
export type Target =
  | { readonly kind: 'endpoint'; readonly endpoint: Endpoint; readonly scope: Scope }
  | { readonly kind: 'api'; readonly scope: 'models' | 'account' };

const endpointOfPath = new Map<string, Target>([
  ['/v1/chat/completions', { kind: 'endpoint', endpoint: 'chat', scope: 'chat' }],
  ['/v1/completions', { kind: 'endpoint', endpoint: 'completions', scope: 'completions' }],
  ['/v1/embeddings', { kind: 'endpoint', endpoint: 'embeddings', scope: 'embeddings' }],
  ['/v1/images/generations', { kind: 'endpoint', endpoint: 'images', scope: 'images' }],
]);

const apis: readonly { root: string; target: Target; methods: readonly string[] }[] = [
  { root: '/v1/models', target: { kind: 'api', scope: 'models' }, methods: ['GET'] },
  { root: '/v1/attestation', target: { kind: 'api', scope: 'models' }, methods: ['GET'] },
  // Without a path below it, this is where nodes tell of themselves; that is not asked here.
  { root: '/v1/nodes', target: { kind: 'api', scope: 'models' }, methods: ['GET'] },
  { root: '/v1/account', target: { kind: 'api', scope: 'account' }, methods: ['GET'] },
  { root: '/v1/receipts', target: { kind: 'api', scope: 'account' }, methods: ['GET'] },
  { root: '/v1/wallets', target: { kind: 'api', scope: 'account' }, methods: ['GET', 'POST'] },
  { root: '/v1/deposits', target: { kind: 'api', scope: 'account' }, methods: ['GET', 'POST'] },
];

/** What the request is for, or why it is for nothing. */
export function targetOf(method: string, pathAndQuery: string): Target | Failure {
  const path = withoutQuery(pathAndQuery);
  const endpoint = endpointOfPath.get(path);
  if (endpoint) return allow(['POST'], method, endpoint);

  for (const { root, target, methods } of apis) {
    if (path === root || path.startsWith(`${root}/`)) return allow(methods, method, target);
  }
  return { kind: 'path-unknown' };
}

function allow(allowed: readonly string[], method: string, target: Target): Target | Failure {
  if (allowed.includes(method)) return target;
  return { kind: 'method-not-allowed', allow: allowed.join(', ') };
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}
