/** Which path and method mean what; query strings play no part. */
import type { Scope } from '../domain/api-key.ts';
import type { Failure } from '../domain/failure.ts';
import { type Endpoint, endpoints } from '../domain/model.ts';
import { lockPath } from '../domain/names.ts';

/** Whatever a key may ask of nodes; a lock does not say what it will be used for. */
export type ScopeWanted = Scope | 'inference';

/** An endpoint that nodes serve for money, in clear or sealed to one node, or a part of the gateway's own API. */
export type Target =
  | { readonly kind: 'endpoint' | 'sealed'; readonly endpoint: Endpoint; readonly scope: Scope }
  | { readonly kind: 'api'; readonly scope: 'models' | 'account' | 'inference' };

const endpointPaths = {
  chat: 'chat/completions',
  completions: 'completions',
  embeddings: 'embeddings',
  images: 'images/generations',
} as const satisfies Record<Endpoint, string>;

const endpointOfPath = new Map<string, Target>(
  endpoints.flatMap((endpoint): [string, Target][] => [
    [`/v1/${endpointPaths[endpoint]}`, { kind: 'endpoint', endpoint, scope: endpoint }],
    [`/v1/confidential/${endpointPaths[endpoint]}`, { kind: 'sealed', endpoint, scope: endpoint }],
  ]),
);

const apis: readonly { root: string; target: Target; methods: readonly string[] }[] = [
  { root: lockPath, target: { kind: 'api', scope: 'inference' }, methods: ['POST'] },
  { root: '/v1/models', target: { kind: 'api', scope: 'models' }, methods: ['GET'] },
  { root: '/v1/account', target: { kind: 'api', scope: 'account' }, methods: ['GET'] },
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

/** Whether it is for something. */
export const isTarget = (target: Target | Failure): target is Target =>
  target.kind === 'endpoint' || target.kind === 'sealed' || target.kind === 'api';

function allow(allowed: readonly string[], method: string, target: Target): Target | Failure {
  if (allowed.includes(method)) return target;
  return { kind: 'method-not-allowed', allow: allowed.join(', ') };
}

function withoutQuery(path: string): string {
  const end = path.search(/[?#]/);
  return end === -1 ? path : path.slice(0, end);
}
