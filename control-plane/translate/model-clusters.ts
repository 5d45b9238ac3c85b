/** A cluster and a load assignment per model, so that a change costs the size of one model. */
import type { Fleet, FleetNode, NodeModel } from '../../domain/fleet.ts';
import {
  clusterMetadata,
  clusterOf,
  endpointMetadata,
  pinnedClusterOf,
  refusalStatuses,
} from '../../domain/names.ts';
import { CircuitBreakers } from '../../proto/gen/envoy/config/cluster/v3/circuit_breaker.ts';
import { Cluster, Cluster_DiscoveryType } from '../../proto/gen/envoy/config/cluster/v3/cluster.ts';
import { OutlierDetection } from '../../proto/gen/envoy/config/cluster/v3/outlier_detection.ts';
import { HeaderValueOption_HeaderAppendAction } from '../../proto/gen/envoy/config/core/v3/base.ts';
import { ClusterLoadAssignment } from '../../proto/gen/envoy/config/endpoint/v3/endpoint.ts';
import { LbEndpoint } from '../../proto/gen/envoy/config/endpoint/v3/endpoint_components.ts';
import { HeaderMatcher } from '../../proto/gen/envoy/config/route/v3/route_components.ts';
import { HeaderMutation } from '../../proto/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation.ts';
import { UpstreamCodec } from '../../proto/gen/envoy/extensions/filters/http/upstream_codec/v3/upstream_codec.ts';
import { HttpFilter } from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import {
  HttpProtocolOptions,
  HttpProtocolOptions_OutlierDetection,
} from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import { leastRequest, namedHost, protocolOptions } from './clusters.ts';
import { addressOf, bytesOf, duration, fromControlPlane, pack, typedConfig } from './proto.ts';
import type { GatewaySettings } from './settings.ts';
import { byCodeUnits, type Resource } from './snapshot.ts';
import { transportSockets } from './transport-sockets.ts';

type Member = { readonly node: FleetNode; readonly model: NodeModel };

type Resources = {
  readonly cluster: Omit<Resource, 'version'>[];
  readonly endpoint: Omit<Resource, 'version'>[];
};

/** In the order of the models' names; a model without nodes keeps an empty cluster, which answers "no node". */
export function modelResources(fleet: Fleet, settings: GatewaySettings): Resources {
  const names = new Set([
    ...fleet.models.map(({ id }) => id),
    ...fleet.nodes.flatMap(({ models }) => models.map(({ model }) => model)),
  ]);
  const models = [...names].filter(isRoutable).sort(byCodeUnits);
  const members = new Map(models.map((model) => [model, membersOf(fleet, model)]));
  const pools = [...members].flatMap(([model, nodes]) => poolsOf(model, nodes));
  return {
    cluster: pools.map((pool) => toCluster(pool, settings)),
    endpoint: pools.map(toLoadAssignment),
  };
}

/** Nodes under one name; in a pinned one a request names its node, and Envoy chooses nobody. */
type Pool = {
  readonly name: string;
  readonly model: string;
  readonly members: readonly Member[];
  readonly isPinned: boolean;
};

/** All nodes of a model, and those of them that may be sent sealed requests. */
function poolsOf(model: string, members: readonly Member[]): Pool[] {
  const all = { name: clusterOf(model), model, members, isPinned: false };
  const atoma = members.filter(({ node }) => node.protocol === 'atoma');
  if (atoma.length === 0) return [all];
  const sealing = atoma.filter(({ node }) => node.sealingKey !== '');
  return [all, { name: pinnedClusterOf(model), model, members: sealing, isPinned: true }];
}

/** Whether a model's name can travel in a header, by which requests find its cluster. */
const isRoutable = (model: string) => /^[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?$/.test(model);

/** The nodes of a model by id; of two at one address the first, since Envoy knows nodes by their address. */
function membersOf(fleet: Fleet, name: string): Member[] {
  const members = fleet.nodes.flatMap((node) => {
    const model = node.models.find((one) => one.model === name);
    return model ? [{ node, model }] : [];
  });
  const byId = members.sort((a, b) => (a.node.id < b.node.id ? -1 : 1));
  const byAddress = new Map(
    byId.toReversed().map((member) => [`${member.node.ip} ${member.node.port}`, member]),
  );
  return [...byAddress.values()].reverse();
}

function toLoadAssignment({ name, members, isPinned }: Pool): Omit<Resource, 'version'> {
  const endpointOf = isPinned ? toPinnedEndpoint : toEndpoint;
  const assignment = ClusterLoadAssignment.fromPartial({
    clusterName: name,
    endpoints: members.length > 0 ? [{ lbEndpoints: members.map(endpointOf) }] : [],
  });
  return { name, bytes: bytesOf(ClusterLoadAssignment, assignment), refersTo: [] };
}

function toEndpoint({ node, model }: Member): LbEndpoint {
  const { namespace, ...fields } = endpointMetadata;
  return LbEndpoint.fromPartial({
    hostIdentifier: {
      $case: 'endpoint',
      value: { address: addressOf({ host: node.ip, port: node.port }), hostname: node.host },
    },
    loadBalancingWeight: node.weight,
    metadata: {
      filterMetadata: {
        [namespace]: {
          [fields.node]: node.id,
          [fields.protocol]: node.protocol,
          [fields.signer]: node.signerAddress,
          // Discovery puts the stack to use first.
          [fields.stack]: model.stacks[0]?.id ?? '',
        },
        ...(node.tls ? { 'envoy.transport_socket_match': { tls: true } } : {}),
      },
    },
  });
}

/** Which stack pays is said by the sealed request; the weight was drawn with the lock. */
const toPinnedEndpoint = ({ node, model }: Member): LbEndpoint =>
  toEndpoint({ node: { ...node, weight: 1 }, model: { ...model, stacks: [] } });

function toCluster(pool: Pool, settings: GatewaySettings): Omit<Resource, 'version'> {
  const { name, model, members, isPinned } = pool;
  const cluster = Cluster.fromPartial({
    name,
    // Dots would split the name of its statistics.
    altStatName: name.replaceAll(/[^\w:/-]/g, '_'),
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    // Whoever follows a refused attempt looks for it; what pinned nodes refuse is seen with its exchange.
    ...(isPinned ? {} : { metadata: metadataOf(model) }),
    edsClusterConfig: { serviceName: name, edsConfig: fromControlPlane },
    connectTimeout: duration(3000),
    // Paid work never goes to nodes that are known to be dead.
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    loadBalancingPolicy: isPinned ? namedHost : leastRequest,
    circuitBreakers,
    // To leave out the one node that a request may go to would help nobody.
    outlierDetection: isPinned ? undefined : outlierDetection,
    transportSocketMatches: members.some(({ node }) => node.tls) ? transportSockets(settings) : [],
    typedExtensionProtocolOptions: protocolOptions(
      HttpProtocolOptions.fromPartial({
        // Below the five seconds after which uvicorn closes an idle connection.
        commonHttpProtocolOptions: { idleTimeout: duration(4000) },
        upstreamProtocolOptions: {
          $case: 'explicitHttpConfig',
          value: { protocolConfig: { $case: 'httpProtocolOptions', value: {} } },
        },
        ...(!isPinned && members.some(({ node }) => node.protocol === 'atoma') ? forStacks : {}),
      }),
    ),
  });
  return {
    name,
    bytes: bytesOf(Cluster, cluster),
    refersTo: [{ type: 'endpoint', name }],
  };
}

const metadataOf = (model: string) => ({
  filterMetadata: { [clusterMetadata.namespace]: { [clusterMetadata.model]: model } },
});

const circuitBreakers: CircuitBreakers = CircuitBreakers.fromPartial({
  thresholds: [
    {
      maxConnections: 10_000,
      maxPendingRequests: 4096,
      maxRequests: 10_000,
      trackRemaining: true,
      // Takes the place of `max_retries`, whose default of 3 would fail most requests whenever many need a retry.
      retryBudget: { budgetPercent: { value: 50 }, minRetryConcurrency: 100 },
    },
  ],
});

/** At most half of the nodes rest, and a lone one never: a model does not go dark for a few errors. */
const outlierDetection: OutlierDetection = OutlierDetection.fromPartial({
  consecutive5xx: 5,
  consecutiveGatewayFailure: 3,
  enforcingConsecutiveGatewayFailure: 100,
  splitExternalLocalOriginErrors: true,
  consecutiveLocalOriginFailure: 2,
  interval: duration(5000),
  baseEjectionTime: duration(15_000),
  maxEjectionTime: duration(120_000),
  maxEjectionTimeJitter: duration(5000),
  maxEjectionPercent: 50,
  alwaysEjectOneHost: false,
  enforcingSuccessRate: 0,
  enforcingLocalOriginSuccessRate: 0,
});

/** Runs once the node is chosen, for every attempt anew: each node is told its own stack. */
const writeStack = HttpFilter.fromPartial({
  name: 'stack',
  configType: typedConfig(
    pack(
      'envoy.extensions.filters.http.header_mutation.v3.HeaderMutation',
      HeaderMutation,
      HeaderMutation.fromPartial({
        mutations: {
          requestMutations: [
            {
              action: {
                $case: 'append',
                value: {
                  header: {
                    key: 'x-stack-small-id',
                    value: `%UPSTREAM_METADATA(${endpointMetadata.namespace}:${endpointMetadata.stack})%`,
                  },
                  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
                },
              },
            },
          ],
        },
      }),
    ),
  ),
});

const upstreamCodec = HttpFilter.fromPartial({
  name: 'codec',
  configType: typedConfig(
    pack(
      'envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec',
      UpstreamCodec,
      UpstreamCodec.fromPartial({}),
    ),
  ),
});

/**
 * A node that refuses every signature rests like one that fails: five in a row, since a single body that it reads in another
 * way than we do is no fault of the node's. With this, a gateway failure is an error like any other.
 */
const countedRefusals = HttpProtocolOptions_OutlierDetection.fromPartial({
  errorMatcher: {
    rule: {
      $case: 'httpResponseHeadersMatch',
      value: { headers: [statusMatching(`${refusalStatuses.signature}|5..`)] },
    },
  },
});

function statusMatching(regex: string): HeaderMatcher {
  const value = { matchPattern: { $case: 'safeRegex', value: { regex } } } as const;
  return HeaderMatcher.fromPartial({
    name: ':status',
    headerMatchSpecifier: { $case: 'stringMatch', value },
  });
}

/** What clusters with Atoma nodes have in addition. */
const forStacks = {
  httpFilters: [writeStack, upstreamCodec],
  outlierDetection: countedRefusals,
};
