/** How Envoy connects to nodes: over TLS or in the clear, as each endpoint's metadata says. */
import { Cluster_TransportSocketMatch } from '../../proto/gen/envoy/config/cluster/v3/cluster.ts';
import { RawBuffer } from '../../proto/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.ts';
import { UpstreamTlsContext } from '../../proto/gen/envoy/extensions/transport_sockets/tls/v3/tls.ts';
import { pack, typedConfig } from './proto.ts';
import type { GatewaySettings } from './settings.ts';

/** The first that an endpoint matches counts. */
export const transportSockets = (settings: GatewaySettings): Cluster_TransportSocketMatch[] => [
  tls(settings),
  plain,
];

const tls = (settings: GatewaySettings): Cluster_TransportSocketMatch =>
  Cluster_TransportSocketMatch.fromPartial({
    name: 'tls',
    match: { tls: true },
    transportSocket: {
      name: 'envoy.transport_sockets.tls',
      configType: typedConfig(
        pack(
          'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
          UpstreamTlsContext,
          UpstreamTlsContext.fromPartial({
            autoHostSni: true,
            autoSniSanValidation: true,
            commonTlsContext: {
              validationContextType: {
                $case: 'validationContext',
                value: {
                  trustedCa: {
                    specifier: { $case: 'filename', value: settings.trustedRootsFile },
                  },
                },
              },
            },
          }),
        ),
      ),
    },
  });

const plain = Cluster_TransportSocketMatch.fromPartial({
  name: 'plain',
  match: {},
  transportSocket: {
    name: 'envoy.transport_sockets.raw_buffer',
    configType: typedConfig(
      pack(
        'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer',
        RawBuffer,
        RawBuffer.fromPartial({}),
      ),
    ),
  },
});
