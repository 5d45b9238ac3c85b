/** The one listener for clients: HTTP/1.1 and HTTP/2, its limits, and what never gets past the door. */
import { headers, serviceClusters } from '../../domain/names.ts';
import { HeaderValueOption_HeaderAppendAction } from '../../proto/gen/envoy/config/core/v3/base.ts';
import { HttpProtocolOptions_HeadersWithUnderscoresAction } from '../../proto/gen/envoy/config/core/v3/protocol.ts';
import { Listener } from '../../proto/gen/envoy/config/listener/v3/listener.ts';
import {
  HttpConnectionManager,
  HttpConnectionManager_PathWithEscapedSlashesAction,
} from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { HeaderMutation } from '../../proto/gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.ts';
import { UuidRequestIdConfig } from '../../proto/gen/envoy/extensions/request_id/uuid/v3/uuid.ts';
import { exchangeLog } from './access-logs.ts';
import { httpFilters } from './filters.ts';
import { localReplies } from './local-replies.ts';
import { addressOf, bytesOf, duration, fromControlPlane, pack, typedConfig } from './proto.ts';
import { routesName } from './routes.ts';
import type { GatewaySettings } from './settings.ts';
import type { Resource } from './snapshot.ts';

const listenerName = 'gateway';

// Bounds what one connection may hold; also the largest answer that ext-proc can have in one piece.
const connectionBufferBytes = 1024 * 1024;

export function gatewayListener(settings: GatewaySettings): Omit<Resource, 'version'> {
  const listener = Listener.fromPartial({
    name: listenerName,
    address: addressOf(settings.listen),
    perConnectionBufferLimitBytes: connectionBufferBytes,
    // With a port per worker a second gateway could bind the same port and take half of the requests unnoticed.
    enableReusePort: false,
    connectionBalanceConfig: { balanceType: { $case: 'exactBalance', value: {} } },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: typedConfig(
              pack(
                'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                HttpConnectionManager,
                connectionManager(settings),
              ),
            ),
          },
        ],
      },
    ],
  });
  return {
    name: listenerName,
    bytes: bytesOf(Listener, listener),
    refersTo: [
      { type: 'route', name: routesName },
      { type: 'cluster', name: serviceClusters.extAuthz },
      { type: 'cluster', name: serviceClusters.extProc },
      { type: 'cluster', name: serviceClusters.accessLog },
    ],
  };
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function connectionManager(settings: GatewaySettings): HttpConnectionManager {
  return HttpConnectionManager.fromPartial({
    statPrefix: 'gateway',
    routeSpecifier: {
      $case: 'rds',
      value: { configSource: fromControlPlane, routeConfigName: routesName },
    },
    httpFilters: httpFilters(settings),
    serverName: 'atoma',
    localReplyConfig: localReplies(settings),
    accessLog: [exchangeLog],
    earlyHeaderMutationExtensions: [{ name: 'strip', typedConfig: strippedHeaders }],

    generateRequestId: true,
    preserveExternalRequestId: false,
    alwaysSetRequestIdInResponse: true,
    requestIdExtension: {
      typedConfig: pack(
        'envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig',
        UuidRequestIdConfig,
        // A packed trace reason would change one digit of what is a plain random UUID everywhere.
        UuidRequestIdConfig.fromPartial({ packTraceReason: false }),
      ),
    },

    useRemoteAddress: true,
    normalizePath: true,
    mergeSlashes: true,
    // SDKs escape the slash in the name of a model (`/v1/models/owner%2Fmodel`); routes and services see the plain path.
    pathWithEscapedSlashesAction:
      HttpConnectionManager_PathWithEscapedSlashesAction.UNESCAPE_AND_FORWARD,

    streamIdleTimeout: duration(5 * minuteMs),
    requestTimeout: duration(minuteMs),
    requestHeadersTimeout: duration(10_000),
    commonHttpProtocolOptions: {
      idleTimeout: duration(hourMs),
      maxStreamDuration: duration(hourMs),
      headersWithUnderscoresAction: HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST,
      maxHeadersCount: 64,
    },
    http2ProtocolOptions: {
      maxConcurrentStreams: 100,
      initialStreamWindowSize: 64 * 1024,
      initialConnectionWindowSize: 1024 * 1024,
      connectionKeepalive: { interval: duration(30_000), timeout: duration(10_000) },
    },
  });
}

/** Removed before anything else looks at the request: a client's own would be taken for ours. */
const strippedHeaders = pack(
  'envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation',
  HeaderMutation,
  HeaderMutation.fromPartial({
    mutations: [
      ...['x-atoma-', 'x-stack-', 'x-envoy-'].map(
        (value) =>
          ({
            action: {
              $case: 'removeOnMatch',
              value: { keyMatcher: { matchPattern: { $case: 'prefix', value } } },
            },
          }) as const,
      ),
      // Nodes sign what they tell the API; under its own name the header would look like one of ext-authz.
      {
        action: {
          $case: 'append',
          value: {
            header: { key: headers.clientSignature, value: '%REQ(x-signature)%' },
            appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
          },
        },
      },
      ...['x-signature', 'x-user-id', 'x-tx-digest', headers.requestId].map(
        (value) => ({ action: { $case: 'remove', value } }) as const,
      ),
    ],
  }),
);
