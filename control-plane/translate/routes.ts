/** The routes: before admission they decide which filters see a request, after it which model's cluster gets it. */
import { envelopeBytesMax } from '../../confidential/envelope.ts';
import { headers, lockPath, nodeEndpoints, serviceClusters } from '../../domain/names.ts';
import { RouteConfiguration } from '../../proto/gen/envoy/config/route/v3/route.ts';
import {
  RetryPolicy,
  Route,
  RouteAction,
  RouteMatch,
} from '../../proto/gen/envoy/config/route/v3/route_components.ts';
import { PreviousHostsPredicate } from '../../proto/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts';
import {
  authenticationOnly,
  withBodyEdits,
  withExchange,
  withoutFilters,
  withoutKeyCheck,
} from './filters.ts';
import { bytesOf, duration, pack } from './proto.ts';
import { largerThan, lengthWithin, method, present, refusal } from './route-parts.ts';
import { answerWaitMsMax, type GatewaySettings, uncheckedBodyBytesMax } from './settings.ts';
import type { Resource } from './snapshot.ts';

export const routesName = 'gateway';

const inferencePaths = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/images/generations',
] as const;

const sealedPaths = inferencePaths.map((path) => path.replace('/v1', '/v1/confidential'));

// ext-proc may add a few fields to a body of the largest size; it must still fit the buffer that retries replay.
const editBytesMax = 65_536;

/** The same few routes whatever the fleet: admission names the cluster in a header. */
export function gatewayRoutes(settings: GatewaySettings): Omit<Resource, 'version'> {
  const routes = RouteConfiguration.fromPartial({
    name: routesName,
    virtualHosts: [
      {
        name: 'gateway',
        domains: ['*'],
        routes: [
          ...admittedRoutes(settings),
          ...inferencePaths.flatMap((path) => arrivalRoutes(path, settings)),
          ...sealedPaths.flatMap((path) => arrivalRoutes(path, forEnvelopes(settings))),
          ...apiRoutes(),
          ...nodeRoutes(),
          // CONNECT has no path.
          ...[anyPath, { pathSpecifier: { $case: 'connectMatcher', value: {} } } as const].map(
            (match) =>
              Route.fromPartial({ name: 'unknown', match, ...refusal({ kind: 'path-unknown' }) }),
          ),
        ],
      },
    ],
  });
  return {
    name: routesName,
    bytes: bytesOf(RouteConfiguration, routes),
    refersTo: [{ type: 'cluster', name: serviceClusters.api }],
  };
}

/** No envelope is longer. */
const forEnvelopes = (settings: GatewaySettings): GatewaySettings => ({
  ...settings,
  bodyBytesMax: Math.min(settings.bodyBytesMax, envelopeBytesMax),
});

const anyPath = { pathSpecifier: { $case: 'prefix', value: '/' } } as const;

/** What an admitted request meets, the most specific first. Clients cannot set these headers. */
function admittedRoutes(settings: GatewaySettings): Route[] {
  const stream = {
    name: 'stream',
    extra: [headers.stream],
    silenceMs: settings.firstByteTimeoutMs,
  };
  const json = { name: 'json', extra: [], silenceMs: settings.jsonTimeoutMs };

  const pinned = {
    extra: [headers.pinned],
    filters: {},
    retry: retrySameNode,
  };
  const retry = retryElsewhere;

  return [
    { ...stream, ...pinned, name: 'pinned-stream', extra: [headers.pinned, headers.stream] },
    { ...json, ...pinned, name: 'pinned-json' },
    {
      ...stream,
      retry,
      name: 'edited-stream',
      extra: [headers.stream, headers.edit],
      filters: withBodyEdits,
    },
    { ...json, retry, name: 'edited-json', extra: [headers.edit], filters: withBodyEdits },
    { ...stream, retry, filters: {} },
    { ...json, retry, filters: {} },
  ].map(({ name, extra, silenceMs, filters, retry: policyOf }) =>
    Route.fromPartial({
      name,
      match: { ...anyPath, headers: [headers.cluster, ...extra].map(present) },
      action: {
        $case: 'route',
        value: { ...toModel(settings), retryPolicy: policyOf(silenceMs) },
      },
      typedPerFilterConfig: filters,
      requestBodyBufferLimit: BigInt(settings.bodyBytesMax + editBytesMax),
      requestHeadersToRemove: keptFromNodes,
      responseHeadersToRemove: keptFromClients,
    }),
  );
}

/** What a request to a model meets first. Without admission no header names a cluster, so these lead nowhere. */
function arrivalRoutes(path: string, settings: GatewaySettings): Route[] {
  const here = { pathSpecifier: { $case: 'path', value: path } } as const;
  const action = { $case: 'route', value: toModel(settings) } as const;
  return [
    Route.fromPartial({
      name: 'oversized-body',
      match: { ...here, headers: [method('POST'), largerThan(settings.bodyBytesMax)] },
      ...refusal({ kind: 'body-too-large', limitBytes: settings.bodyBytesMax }),
    }),
    Route.fromPartial({
      name: 'small-body',
      match: { ...here, headers: [method('POST'), smallBody] },
      action,
      typedPerFilterConfig: withoutKeyCheck,
    }),
    Route.fromPartial({
      name: 'large-body',
      match: { ...here, headers: [method('POST')] },
      action,
      typedPerFilterConfig: withExchange,
    }),
    Route.fromPartial({
      name: 'wrong-method',
      match: here,
      ...refusal({ kind: 'method-not-allowed', allow: 'POST' }),
    }),
  ];
}

/** The gateway's own endpoints; after admission they match here again. */
function apiRoutes(): Route[] {
  const under = (value: string) =>
    RouteMatch.fromPartial({ pathSpecifier: { $case: 'pathSeparatedPrefix', value } });
  const exactly = (value: string) =>
    RouteMatch.fromPartial({ pathSpecifier: { $case: 'path', value } });

  const paths = [
    { match: under('/v1/models'), filters: authenticationOnly, methods: ['GET'] },
    { match: exactly('/v1/account'), filters: authenticationOnly, methods: ['GET'] },
    { match: exactly('/v1/account/usage'), filters: authenticationOnly, methods: ['GET'] },
    { match: exactly('/v1/wallets'), filters: authenticationOnly, methods: ['GET', 'POST'] },
    { match: exactly('/v1/wallets/challenge'), filters: authenticationOnly, methods: ['POST'] },
    { match: exactly(lockPath), filters: authenticationOnly, methods: ['POST'] },
    { match: exactly('/v1/deposits'), filters: authenticationOnly, methods: ['GET', 'POST'] },
    { match: exactly('/health'), filters: withoutFilters, methods: ['GET'] },
  ] as const;
  return paths.flatMap(({ match, filters, methods }) => [
    ...methods.map((allowed) =>
      Route.fromPartial({
        name: 'api',
        match: { ...match, headers: [method(allowed)] },
        action: { $case: 'route', value: toApi },
        typedPerFilterConfig: filters,
        requestHeadersToRemove: ['authorization', 'cookie'],
      }),
    ),
    Route.fromPartial({
      name: 'wrong-method',
      match,
      ...refusal({ kind: 'method-not-allowed', allow: methods.join(', ') }),
    }),
  ]);
}

/** What nodes tell of themselves: signed instead of keyed. Where no chain is followed, the API answers "not found". */
function nodeRoutes(): Route[] {
  return Object.values(nodeEndpoints).flatMap(({ path, method: name, bodyBytesMax }) => {
    const here = { pathSpecifier: { $case: 'path', value: path } } as const;
    return [
      Route.fromPartial({
        name: 'oversized-body',
        match: { ...here, headers: [method(name), largerThan(bodyBytesMax)] },
        ...refusal({ kind: 'body-too-large', limitBytes: bodyBytesMax }),
      }),
      Route.fromPartial({
        name: 'node',
        match: { ...here, headers: [method(name)] },
        // Not tried twice: a body of unknown size could not be replayed.
        action: { $case: 'route', value: { ...toApi, retryPolicy: undefined } },
        typedPerFilterConfig: withoutFilters,
        requestHeadersToRemove: ['authorization', 'cookie'],
      }),
      Route.fromPartial({
        name: 'wrong-method',
        match: here,
        ...refusal({ kind: 'method-not-allowed', allow: name }),
      }),
    ];
  });
}

const toModel = (settings: GatewaySettings): RouteAction =>
  RouteAction.fromPartial({
    clusterSpecifier: { $case: 'clusterHeader', value: headers.cluster },
    hostRewriteSpecifier: { $case: 'autoHostRewrite', value: true },
    // A generation takes as long as it takes; silence is what is bounded.
    timeout: duration(0),
    idleTimeout: duration(answerWaitMsMax(settings)),
  });

const toApi: RouteAction = RouteAction.fromPartial({
  clusterSpecifier: { $case: 'cluster', value: serviceClusters.api },
  timeout: duration(15_000),
  retryPolicy: {
    retryOn: 'connect-failure,refused-stream,reset-before-request,reset',
    numRetries: 2,
    retryHostPredicate: [previousHosts()],
    hostSelectionRetryMaxAttempts: 5n,
  },
});

// Answers by which a node says that it will not serve the request; another may.
const retriableStatuses = [401, 423, 425, 429, 500, 502, 503, 504];

/**
 * Until the first byte has reached the client, another node is tried, also where the first may have begun to work:
 * the client pays for the one that answers, and no answer at all would be worse than work done twice. A node's
 * `retry-after` is about that node, hence no wait before the next one; where all are busy it goes to the client.
 */
function retryElsewhere(silenceMs: number): RetryPolicy {
  return RetryPolicy.fromPartial({
    retryOn: 'connect-failure,refused-stream,reset-before-request,reset,retriable-status-codes',
    retriableStatusCodes: retriableStatuses,
    numRetries: 2,
    perTryIdleTimeout: duration(silenceMs),
    retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
    retryHostPredicate: [previousHosts()],
    // Picks follow the weights: beside a node of weight 100, one of weight 1 needs a hundred picks to be found.
    hostSelectionRetryMaxAttempts: 128n,
  });
}

/**
 * A sealed request goes to its node alone, and not again once that may have seen it: a second opening would be work done
 * and charged twice. Where the list of addresses names the node twice, a failed connection is tried once more.
 */
const retrySameNode = (silenceMs: number): RetryPolicy =>
  RetryPolicy.fromPartial({
    retryOn: 'connect-failure,reset-before-request',
    numRetries: 1,
    perTryIdleTimeout: duration(silenceMs),
    retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
  });

function previousHosts() {
  return {
    name: 'envoy.retry_host_predicates.previous_hosts',
    configType: {
      $case: 'typedConfig',
      value: pack(
        'envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
        PreviousHostsPredicate,
        PreviousHostsPredicate.fromPartial({}),
      ),
    },
  } as const;
}

/** Who the client is, is no business of a node; compressed answers could not be metered. */
const keptFromNodes = [
  'authorization',
  'proxy-authorization',
  'api-key',
  'x-api-key',
  'cookie',
  'accept-encoding',
  // Envoy meets "100-continue" itself; of anything else a node might make a refusal.
  'expect',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-envoy-external-address',
  headers.cluster,
  headers.stream,
  headers.edit,
  headers.pinned,
  headers.account,
  headers.key,
  headers.clientSignature,
];

const smallBody = lengthWithin(0n, BigInt(uncheckedBodyBytesMax + 1));

const keptFromClients = ['set-cookie', 'alt-svc'];
