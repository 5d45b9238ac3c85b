/** Envoy's bootstrap: who it is, its admin address, and where its configuration comes from. All else arrives over ADS. */
import type { HostPort } from '../runtime/config.ts';

export type BootstrapSettings = {
  /** Unique for each Envoy and stable across its restarts. */
  readonly nodeId: string;
  /** Keep it on loopback or a protected network: whoever reaches it can stop Envoy. */
  readonly admin: HostPort;
  readonly controlPlanes: readonly HostPort[];
  /** Envoy sheds requests near this size: each buffered body counts. */
  readonly heapBytesMax: number;
  readonly connectionsMax: number;
};

const socket = ({ host, port }: HostPort) => ({
  socket_address: { address: host, port_value: port },
});

const typed = (type: string, value: object) => ({
  '@type': `type.googleapis.com/${type}`,
  ...value,
});

/** The bootstrap as the object that Envoy reads as JSON. */
export function createBootstrap(settings: BootstrapSettings): object {
  return {
    node: { id: settings.nodeId, cluster: 'atoma' },
    admin: { address: socket(settings.admin) },
    dynamic_resources: dynamicResources,
    static_resources: { clusters: [controlPlaneCluster(settings.controlPlanes)] },
    // Envoy 1.40 crashes where the last stream to ext-proc ends after its cached gRPC client has expired, by default 50 s
    // after the last request began. This outlasts the longest stream, which is an hour.
    grpc_async_client_manager_config: { max_cached_entry_idle_duration: '7200s' },
    layered_runtime: {
      layers: [
        {
          name: 'static',
          static_layer: {
            // Without it each finished ext_proc stream is reset, which Node's HTTP/2 takes for an attack.
            'envoy.reloadable_features.ext_proc_graceful_grpc_close': true,
          },
        },
        { name: 'admin', admin_layer: {} },
      ],
    },
    overload_manager: overloadManager(settings),
  };
}

const ads = { ads: {}, resource_api_version: 'V3' };

const dynamicResources = {
  ads_config: {
    api_type: 'DELTA_GRPC',
    transport_api_version: 'V3',
    set_node_on_first_message_only: true,
    grpc_services: [
      {
        envoy_grpc: {
          cluster_name: 'control-plane',
          // By default the pauses grow to 30 s, and changes of the fleet would wait that long after a restart.
          retry_policy: { retry_back_off: { base_interval: '0.1s', max_interval: '1s' } },
        },
      },
    ],
  },
  cds_config: ads,
  lds_config: ads,
};

function controlPlaneCluster(addresses: readonly HostPort[]): object {
  return {
    name: 'control-plane',
    type: 'STRICT_DNS',
    connect_timeout: '1s',
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed(
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        {
          explicit_http_config: {
            http2_protocol_options: { connection_keepalive: { interval: '10s', timeout: '3s' } },
          },
        },
      ),
    },
    load_assignment: {
      cluster_name: 'control-plane',
      endpoints: [
        { lb_endpoints: addresses.map((address) => ({ endpoint: { address: socket(address) } })) },
      ],
    },
  };
}

function overloadManager({ heapBytesMax, connectionsMax }: BootstrapSettings): object {
  const trigger = (value: number) => [
    { name: 'envoy.resource_monitors.fixed_heap', threshold: { value } },
  ];
  return {
    refresh_interval: '0.25s',
    resource_monitors: [
      {
        name: 'envoy.resource_monitors.fixed_heap',
        typed_config: typed('envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig', {
          max_heap_size_bytes: heapBytesMax,
        }),
      },
      {
        name: 'envoy.resource_monitors.global_downstream_max_connections',
        typed_config: typed(
          'envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
          { max_active_downstream_connections: connectionsMax },
        ),
      },
    ],
    actions: [
      { name: 'envoy.overload_actions.shrink_heap', triggers: trigger(0.9) },
      { name: 'envoy.overload_actions.stop_accepting_requests', triggers: trigger(0.95) },
    ],
  };
}
