/** The clusters of the gateway's own processes. */
import { isIP } from 'node:net';
import { serviceClusters } from '../../domain/names.ts';
import { Cluster, Cluster_DiscoveryType } from '../../proto/gen/envoy/config/cluster/v3/cluster.ts';
import { HealthCheck } from '../../proto/gen/envoy/config/core/v3/health_check.ts';
import { HttpProtocolOptions } from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import type { HostPort } from '../../runtime/config.ts';
import { leastRequest, protocolOptions } from './clusters.ts';
import { addressOf, bytesOf, duration } from './proto.ts';
import type { GatewaySettings } from './settings.ts';
import type { Resource } from './snapshot.ts';

export function serviceClusterResources(settings: GatewaySettings): Omit<Resource, 'version'>[] {
  return [
    grpcCluster(serviceClusters.extAuthz, settings.extAuthz),
    grpcCluster(serviceClusters.extProc, settings.extProc),
    grpcCluster(serviceClusters.accessLog, settings.extProc),
    apiCluster(settings.api),
  ].map((cluster) => ({ name: cluster.name, bytes: bytesOf(Cluster, cluster), refersTo: [] }));
}

function grpcCluster(name: string, replicas: readonly HostPort[]): Cluster {
  return Cluster.fromPartial({
    ...service(name, replicas),
    healthChecks: [{ ...healthCheck, healthChecker: { $case: 'grpcHealthCheck', value: {} } }],
    typedExtensionProtocolOptions: protocolOptions(
      HttpProtocolOptions.fromPartial({
        // Below the 1000 resets that nghttp2 inside Node allows before it closes a connection under innocent requests.
        commonHttpProtocolOptions: { maxRequestsPerConnection: 900 },
        upstreamProtocolOptions: {
          $case: 'explicitHttpConfig',
          value: {
            protocolConfig: {
              $case: 'http2ProtocolOptions',
              value: {
                connectionKeepalive: { interval: duration(30_000), timeout: duration(5000) },
              },
            },
          },
        },
      }),
    ),
  });
}

function apiCluster(replicas: readonly HostPort[]): Cluster {
  return Cluster.fromPartial({
    ...service(serviceClusters.api, replicas),
    healthChecks: [
      { ...healthCheck, healthChecker: { $case: 'httpHealthCheck', value: { path: '/health' } } },
    ],
    typedExtensionProtocolOptions: protocolOptions(
      HttpProtocolOptions.fromPartial({
        // Below the five seconds after which a Node server closes an idle connection.
        commonHttpProtocolOptions: { idleTimeout: duration(4000) },
        upstreamProtocolOptions: {
          $case: 'explicitHttpConfig',
          value: { protocolConfig: { $case: 'httpProtocolOptions', value: {} } },
        },
      }),
    ),
  });
}

/** Each replica is an endpoint of its own; one that dies is left within a second, one that returns is used at once. */
const healthCheck = HealthCheck.fromPartial({
  // Generous, because a process that parses a body of 20 MiB is busy, not dead; a dead one refuses at once.
  timeout: duration(2000),
  interval: duration(500),
  noTrafficInterval: duration(500),
  unhealthyInterval: duration(250),
  unhealthyThreshold: 1,
  healthyThreshold: 1,
});

function service(name: string, replicas: readonly HostPort[]): Cluster {
  const named = replicas.some(({ host }) => isIP(host) === 0);
  return Cluster.fromPartial({
    name,
    clusterDiscoveryType: {
      $case: 'type',
      value: named ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.STATIC,
    },
    connectTimeout: duration(1000),
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: replicas.map((replica) => ({
            hostIdentifier: { $case: 'endpoint', value: { address: addressOf(replica) } } as const,
          })),
        },
      ],
    },
    loadBalancingPolicy: leastRequest,
    // With every replica down the checks may be wrong, so all are tried; with one up, only that one.
    commonLbConfig: { healthyPanicThreshold: { value: 1 } },
    ignoreHealthOnHostRemoval: true,
    // Each open exchange is one long request to ext-proc.
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: 10_000,
          maxPendingRequests: 10_000,
          maxRequests: 100_000,
          maxRetries: 1000,
        },
      ],
    },
  });
}
