/** What Envoy tells ext-proc by its access log: how each exchange ended, and which attempts a node refused. */
import {
  clusterMetadata,
  endpointMetadata,
  exchangeMetadata,
  headers,
  refusalStatuses,
  serviceClusters,
} from '../../domain/names.ts';
import {
  AccessLog,
  type AccessLogFilter,
  ComparisonFilter_Op,
} from '../../proto/gen/envoy/config/accesslog/v3/accesslog.ts';
import { ApiVersion } from '../../proto/gen/envoy/config/core/v3/config_source.ts';
import { HttpGrpcAccessLogConfig } from '../../proto/gen/envoy/extensions/access_loggers/grpc/v3/als.ts';
import { CustomTag } from '../../proto/gen/envoy/type/tracing/v3/custom_tag.ts';
import { duration, grpcService, pack, typedConfig } from './proto.ts';

/** One entry for each admitted request, however it ended. */
export const exchangeLog = AccessLog.fromPartial({
  name: 'exchange',
  filter: {
    filterSpecifier: {
      $case: 'metadataFilter',
      value: {
        matcher: {
          filter: exchangeMetadata.namespace,
          path: [{ segment: { $case: 'key', value: exchangeMetadata.field } }],
          value: { matchPattern: { $case: 'presentMatch', value: true } },
        },
        matchIfKeyNotFound: false,
      },
    },
  },
  configType: toService({ logName: 'exchange', bufferBytes: 16_384, tags: [] }),
});

/** As it was sent: the endpoint's own may be another one by the time of the refusal. */
const sentStack = CustomTag.fromPartial({
  tag: endpointMetadata.stack,
  type: { $case: 'requestHeader', value: { name: headers.stack } },
});

/**
 * One entry for each attempt that a node refused, also where another node answered the caller in the end. Sent at once:
 * until it has arrived, the same stack is offered again.
 */
export const refusalLog = AccessLog.fromPartial({
  name: 'refusal',
  filter: {
    filterSpecifier: {
      $case: 'orFilter',
      value: { filters: Object.values(refusalStatuses).map(hasStatus) },
    },
  },
  configType: toService({
    logName: 'refusal',
    bufferBytes: 0,
    tags: [
      tag({ kind: 'host', namespace: endpointMetadata.namespace, field: endpointMetadata.node }),
      sentStack,
      tag({ kind: 'cluster', namespace: clusterMetadata.namespace, field: clusterMetadata.model }),
    ],
  }),
});

function hasStatus(status: number): AccessLogFilter {
  const value = { defaultValue: status, runtimeKey: `atoma.refusal.${status}` };
  const comparison = { op: ComparisonFilter_Op.EQ, value };
  return { filterSpecifier: { $case: 'statusCodeFilter', value: { comparison } } };
}

function tag({ kind, namespace, field }: TagSource): CustomTag {
  return CustomTag.fromPartial({
    tag: field,
    type: {
      $case: 'metadata',
      value: {
        kind: { kind: { $case: kind, value: {} } },
        metadataKey: { key: namespace, path: [{ segment: { $case: 'key', value: field } }] },
      },
    },
  });
}

type TagSource = {
  readonly kind: 'host' | 'cluster';
  readonly namespace: string;
  readonly field: string;
};

function toService(options: {
  readonly logName: string;
  /** What is collected before it is sent; never longer than a fifth of a second. */
  readonly bufferBytes: number;
  readonly tags: readonly CustomTag[];
}) {
  const { logName, bufferBytes, tags } = options;
  return typedConfig(
    pack(
      'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
      HttpGrpcAccessLogConfig,
      HttpGrpcAccessLogConfig.fromPartial({
        additionalRequestHeadersToLog: [headers.requestId],
        commonConfig: {
          logName,
          transportApiVersion: ApiVersion.V3,
          grpcService: grpcService(serviceClusters.accessLog),
          bufferFlushInterval: duration(200),
          bufferSizeBytes: bufferBytes,
          customTags: [...tags],
        },
      }),
    ),
  );
}
