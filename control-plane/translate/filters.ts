/** The HTTP filters in their order, and what single routes change about them. */
import {
  endpointMetadata,
  exchangeMetadata,
  phaseMetadata,
  responseAttributes,
  serviceClusters,
} from '../../domain/names.ts';
import { ApiVersion } from '../../proto/gen/envoy/config/core/v3/config_source.ts';
import { FilterConfig } from '../../proto/gen/envoy/config/route/v3/route_components.ts';
import {
  ExtAuthz,
  ExtAuthzPerRoute,
} from '../../proto/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz.ts';
import {
  ExternalProcessor,
  ExtProcPerRoute,
} from '../../proto/gen/envoy/extensions/filters/http/ext_proc/v3/ext_proc.ts';
import {
  ProcessingMode_BodySendMode as Body,
  ProcessingMode_HeaderSendMode as Header,
  type ProcessingMode,
} from '../../proto/gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode.ts';
import { Router } from '../../proto/gen/envoy/extensions/filters/http/router/v3/router.ts';
import { HttpFilter } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { StatusCode } from '../../proto/gen/envoy/type/v3/http_status.ts';
import type { Any } from '../../proto/gen/google/protobuf/any.ts';
import { refusalLog } from './access-logs.ts';
import { duration, grpcService, pack, typedConfig } from './proto.ts';
import type { GatewaySettings } from './settings.ts';

const names = {
  keyCheck: 'atoma.key_check',
  admission: 'envoy.filters.http.ext_authz',
  exchange: 'envoy.filters.http.ext_proc',
} as const;

// Covers the transfer and the parsing of the largest body; a dead replica is noticed far sooner.
const admissionTimeoutMs = 5000;
const exchangeMessageTimeoutMs = 5000;

/** Key check (large bodies only), admission with the body, exchange, router. */
export function httpFilters(settings: GatewaySettings): HttpFilter[] {
  return [
    filter(names.keyCheck, packExtAuthz(keyCheck())),
    filter(names.admission, packExtAuthz(admission(settings))),
    // Off unless a route turns it on: what is no valid HTTP meets no route, and Envoy closes such a connection without
    // the answer where a filter holds that back to ask somebody.
    HttpFilter.fromPartial({
      ...filter(
        names.exchange,
        pack(
          'envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor',
          ExternalProcessor,
          exchange(settings),
        ),
      ),
      disabled: true,
    }),
    filter(
      'envoy.filters.http.router',
      pack(
        'envoy.extensions.filters.http.router.v3.Router',
        Router,
        Router.fromPartial({ suppressEnvoyHeaders: true, upstreamLog: [refusalLog] }),
      ),
    ),
  ];
}

type PerRoute = Readonly<Record<string, Any>>;

const disabled = pack(
  'envoy.config.route.v3.FilterConfig',
  FilterConfig,
  FilterConfig.fromPartial({ disabled: true }),
);

/** For answers that ask nobody. */
export const withoutFilters: PerRoute = {
  [names.keyCheck]: disabled,
  [names.admission]: disabled,
};

/** For requests to a model: all filters. */
export const withExchange: PerRoute = {
  [names.exchange]: pack(
    'envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute',
    ExtProcPerRoute,
    ExtProcPerRoute.fromPartial({ override: { $case: 'overrides', value: {} } }),
  ),
};

/** For those whose body is small enough to be read before its key is known. */
export const withoutKeyCheck: PerRoute = { ...withExchange, [names.keyCheck]: disabled };

/** For the gateway's own endpoints: authenticated, without body or exchange. */
export const authenticationOnly: PerRoute = {
  [names.keyCheck]: disabled,
  [names.admission]: pack(
    'envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
    ExtAuthzPerRoute,
    ExtAuthzPerRoute.fromPartial({
      override: { $case: 'checkSettings', value: { disableRequestBodyBuffering: true } },
    }),
  ),
};

/**
 * For requests whose body ext-proc changes. With the headers sent too, nothing leaves for a node before the changed
 * body and its `content-length` are known.
 */
export const withBodyEdits: PerRoute = {
  [names.exchange]: pack(
    'envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute',
    ExtProcPerRoute,
    ExtProcPerRoute.fromPartial({
      override: { $case: 'overrides', value: { processingMode: processingMode('body') } },
    }),
  ),
};

function keyCheck(): ExtAuthz {
  return ExtAuthz.fromPartial({
    services: {
      $case: 'grpcService',
      value: {
        ...grpcService(serviceClusters.extAuthz),
        timeout: duration(admissionTimeoutMs),
        initialMetadata: [{ key: phaseMetadata.name, value: phaseMetadata.keyOnly }],
      },
    },
    transportApiVersion: ApiVersion.V3,
    statusOnError: { code: StatusCode.ServiceUnavailable },
    statPrefix: 'key_check',
  });
}

function admission(settings: GatewaySettings): ExtAuthz {
  return ExtAuthz.fromPartial({
    services: {
      $case: 'grpcService',
      value: {
        ...grpcService(serviceClusters.extAuthz),
        timeout: duration(admissionTimeoutMs),
      },
    },
    transportApiVersion: ApiVersion.V3,
    // The last piece of a body may cross the limit unnoticed and is then cut off: one byte more lets ext-authz see that.
    withRequestBody: { maxRequestBytes: settings.bodyBytesMax + 1, packAsBytes: true },
    // Acts because every admission sets a header: the request then meets the routes that look for it.
    clearRouteCache: true,
    statusOnError: { code: StatusCode.ServiceUnavailable },
    statPrefix: 'admission',
  });
}

// No deadline on `grpcService`: it would bound the whole exchange.
function exchange(settings: GatewaySettings): ExternalProcessor {
  return ExternalProcessor.fromPartial({
    grpcService: grpcService(serviceClusters.extProc),
    processingMode: processingMode(settings.requestHooks),
    allowModeOverride: true,
    messageTimeout: duration(exchangeMessageTimeoutMs),
    statusOnError: { code: StatusCode.ServiceUnavailable },
    metadataOptions: {
      forwardingNamespaces: { untyped: [exchangeMetadata.namespace] },
      receivingNamespaces: { untyped: [endpointMetadata.namespace] },
    },
    // Told with the first message of a response.
    responseAttributes: Object.values(responseAttributes),
  });
}

function processingMode(request: GatewaySettings['requestHooks']): ProcessingMode {
  return {
    // Always: ext-proc then holds the exchange from its beginning, and where it is away no node works for nothing.
    requestHeaderMode: Header.SEND,
    requestBodyMode: request === 'body' ? Body.BUFFERED : Body.NONE,
    requestTrailerMode: Header.SKIP,
    responseHeaderMode: Header.SEND,
    // ext-proc turns it to STREAMED or BUFFERED once it sees the content type.
    responseBodyMode: Body.NONE,
    responseTrailerMode: Header.SKIP,
  };
}

const packExtAuthz = (config: ExtAuthz) =>
  pack('envoy.extensions.filters.http.ext_authz.v3.ExtAuthz', ExtAuthz, config);

const filter = (name: string, config: Any) =>
  HttpFilter.fromPartial({ name, configType: typedConfig(config) });
