/** Parts that the clusters of services and of models share. */
import { exchangeMetadata } from '../../domain/names.ts';
import type { LoadBalancingPolicy } from '../../proto/gen/envoy/config/cluster/v3/cluster.ts';
import { LeastRequest } from '../../proto/gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request.ts';
import { OverrideHost } from '../../proto/gen/envoy/extensions/load_balancing_policies/override_host/v3/override_host.ts';
import { Random } from '../../proto/gen/envoy/extensions/load_balancing_policies/random/v3/random.ts';
import {
  Subset,
  Subset_LbSubsetFallbackPolicy,
} from '../../proto/gen/envoy/extensions/load_balancing_policies/subset/v3/subset.ts';
import { HttpProtocolOptions } from '../../proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options.ts';
import { pack } from './proto.ts';

/** Of two random hosts the less busy one; where weights differ, by weight alone. */
export const leastRequest: LoadBalancingPolicy = {
  policies: [
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.least_request',
        typedConfig: pack(
          'envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest',
          LeastRequest,
          LeastRequest.fromPartial({
            choiceCount: 2,
            // Weights already hold what is known of each node's load. A bias of 1 would bend 10:30:60 to 18:34:48 under
            // parallel requests; an operator who wants that sets the runtime key.
            activeRequestBias: { defaultValue: 0, runtimeKey: 'atoma.lb.active_request_bias' },
          }),
        ),
      },
    },
  ],
};

const random: LoadBalancingPolicy = {
  policies: [
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.random',
        typedConfig: pack(
          'envoy.extensions.load_balancing_policies.random.v3.Random',
          Random,
          Random.fromPartial({}),
        ),
      },
    },
  ],
};

/** Finds nobody: no request asks for this subset. */
const nobody: LoadBalancingPolicy = {
  policies: [
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.subset',
        typedConfig: pack(
          'envoy.extensions.load_balancing_policies.subset.v3.Subset',
          Subset,
          Subset.fromPartial({
            fallbackPolicy: Subset_LbSubsetFallbackPolicy.NO_FALLBACK,
            subsetSelectors: [{ keys: ['none'] }],
            subsetLbPolicy: random,
          }),
        ),
      },
    },
  ],
};

/** The host that ext-authz named, where it is one of the cluster; by itself `override_host` would fall back to another. */
export const namedHost: LoadBalancingPolicy = {
  policies: [
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.override_host',
        typedConfig: pack(
          'envoy.extensions.load_balancing_policies.override_host.v3.OverrideHost',
          OverrideHost,
          OverrideHost.fromPartial({
            overrideHostSources: [
              {
                metadata: {
                  key: exchangeMetadata.namespace,
                  path: [{ segment: { $case: 'key', value: exchangeMetadata.hosts } }],
                },
              },
            ],
            fallbackPolicy: nobody,
          }),
        ),
      },
    },
  ],
};

/** The `typed_extension_protocol_options` of a cluster. */
export function protocolOptions(options: HttpProtocolOptions) {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { [name]: pack(name, HttpProtocolOptions, options) };
}
