/** A snapshot as one static bootstrap, so that `envoy --mode validate` can judge all of it without a control plane. */
import { Bootstrap } from '../../../proto/gen/envoy/config/bootstrap/v3/bootstrap.ts';
import {
  Cluster,
  Cluster_DiscoveryType,
} from '../../../proto/gen/envoy/config/cluster/v3/cluster.ts';
import { ClusterLoadAssignment } from '../../../proto/gen/envoy/config/endpoint/v3/endpoint.ts';
import { Listener } from '../../../proto/gen/envoy/config/listener/v3/listener.ts';
import { RouteConfiguration } from '../../../proto/gen/envoy/config/route/v3/route.ts';
import { HttpConnectionManager } from '../../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { bytesOf, typedConfig } from '../proto.ts';
import type { Snapshot } from '../snapshot.ts';

/** The bytes of a `.pb` file. */
export function staticBootstrap(snapshot: Snapshot): Buffer {
  const { resources } = snapshot;
  return bytesOf(
    Bootstrap,
    Bootstrap.fromPartial({
      node: { id: 'validate', cluster: 'atoma' },
      staticResources: {
        listeners: [...resources.listener.values()].map(({ bytes }) => withRoutes(bytes, snapshot)),
        clusters: [...resources.cluster.values()].map(({ bytes }) =>
          withEndpoints(bytes, snapshot),
        ),
      },
    }),
  );
}

function withEndpoints(bytes: Buffer, { resources }: Snapshot): Cluster {
  const cluster = Cluster.decode(bytes);
  const assignment = resources.endpoint.get(cluster.edsClusterConfig?.serviceName ?? '');
  if (!assignment) return cluster;
  const { edsClusterConfig: _fetched, ...rest } = cluster;
  return {
    ...rest,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.STATIC },
    loadAssignment: ClusterLoadAssignment.decode(assignment.bytes),
  };
}

function withRoutes(bytes: Buffer, { resources }: Snapshot): Listener {
  const listener = Listener.decode(bytes);
  for (const filter of listener.filterChains.flatMap(({ filters }) => filters)) {
    if (filter.configType?.$case !== 'typedConfig') continue;
    const { typeUrl, value } = filter.configType.value;
    const manager = HttpConnectionManager.decode(value);
    const name =
      manager.routeSpecifier?.$case === 'rds' && manager.routeSpecifier.value.routeConfigName;
    const routes = resources.route.get(name || '');
    if (!routes) continue;
    const inlined = HttpConnectionManager.encode({
      ...manager,
      routeSpecifier: { $case: 'routeConfig', value: RouteConfiguration.decode(routes.bytes) },
    });
    filter.configType = typedConfig({ typeUrl, value: Buffer.from(inlined.finish()) });
  }
  return listener;
}
