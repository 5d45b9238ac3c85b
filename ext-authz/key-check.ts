/** Who calls: reads the bearer key, finds it by its hash and says whether it may be used for this. */
import type { ApiKey } from '../domain/api-key.ts';
import type { Failure } from '../domain/failure.ts';
import { isKeyText } from '../domain/key-text.ts';
import { endpoints } from '../domain/model.ts';
import { sha256Hex } from '../storage/api-keys.ts';
import type { ScopeWanted } from './paths.ts';

type Caller = { readonly kind: 'caller'; readonly key: ApiKey };

export type KeyCheck = (
  authorization: string | undefined,
  scope: ScopeWanted,
) => Promise<Caller | Failure>;

const authorizationBytesMax = 512;

export function createKeyCheck(options: {
  readonly find: (hash: string) => ApiKey | undefined | Promise<ApiKey | undefined>;
  readonly nowMs: () => number;
}): KeyCheck {
  const { find, nowMs } = options;
  return async (authorization, scope) => {
    const text = bearerOf(authorization);
    if (text === undefined) return { kind: 'key-missing' };
    // The checksum costs garbage its look-up.
    if (!isKeyText(text)) return { kind: 'key-invalid' };
    const key = await find(sha256Hex(text));
    return key ? usable(key, scope, nowMs()) : { kind: 'key-invalid' };
  };
}

function usable(key: ApiKey, scope: ScopeWanted, nowMs: number): Caller | Failure {
  if (isPast(key.revokedMs, nowMs)) return { kind: 'key-revoked' };
  if (isPast(key.expiresMs, nowMs)) return { kind: 'key-expired' };
  if (!hasScope(key, scope)) return { kind: 'scope-denied', scope };
  return { kind: 'caller', key };
}

function hasScope({ scopes }: ApiKey, wanted: ScopeWanted): boolean {
  if (wanted !== 'inference') return scopes.includes(wanted);
  return endpoints.some((endpoint) => scopes.includes(endpoint));
}

const isPast = (timeMs: number | undefined, nowMs: number) =>
  timeMs !== undefined && timeMs <= nowMs;

/** The token of RFC 6750 section 2.1; nothing where another scheme or no token stands. */
function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined || !/^bearer /i.test(authorization)) return undefined;
  // What is too long to be a key fails as one, without being read.
  const text = authorization.slice('bearer '.length, authorizationBytesMax).trim();
  return text === '' ? undefined : text;
}
