/** Which requests are sealed, which pass as they are, and which are refused since their body would go out in clear. */
import { UnsealableError } from './errors.ts';

export type SealedEndpoint = 'chat' | 'completions' | 'embeddings' | 'images';

const endpointOf = new Map<string, SealedEndpoint>([
  ['chat/completions', 'chat'],
  ['completions', 'completions'],
  ['embeddings', 'embeddings'],
  ['images/generations', 'images'],
]);

export type Route =
  | { readonly kind: 'pass'; readonly url: string }
  | {
      readonly kind: 'sealed';
      readonly endpoint: SealedEndpoint;
      readonly url: string;
      readonly lockUrl: string;
    };

const pathPattern = /^(?<prefix>.*)\/v1\/(?<rest>.+?)\/*$/;

/**
 * Requests without a body pass, such as the list of models.
 * @throws UnsealableError for all others that have no sealed form.
 */
export function routeOf(
  request: { readonly method: string; readonly url: string },
  baseUrl?: string,
): Route {
  const url = rebased(new URL(request.url), baseUrl);
  const { prefix = '', rest = '' } = pathPattern.exec(url.pathname)?.groups ?? {};
  const endpoint = request.method === 'POST' ? endpointOf.get(rest) : undefined;
  if (endpoint) {
    const at = (path: string) => new URL(`${prefix}/v1/${path}`, url).href;
    return {
      kind: 'sealed',
      endpoint,
      url: at(`confidential/${rest}`),
      lockUrl: at('nodes/lock'),
    };
  }
  if (request.method === 'GET' || request.method === 'HEAD') return { kind: 'pass', url: url.href };
  throw new UnsealableError(
    `${request.method} ${url.pathname} has no sealed form; it was not sent`,
  );
}

/** The same path at another gateway, given by its address up to and including `/v1`. */
function rebased(url: URL, baseUrl: string | undefined): URL {
  if (baseUrl === undefined) return url;
  const base = new URL(baseUrl);
  const path = url.pathname.replace(/^.*?(?=\/v1\/)/, '');
  const prefix = base.pathname.replace(/\/v1\/*$|\/+$/, '');
  return new URL(`${prefix}${path}${url.search}`, base);
}
