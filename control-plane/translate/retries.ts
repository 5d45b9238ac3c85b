/** When a request is tried once more, and where. */
import { RetryPolicy } from '../../proto/gen/envoy/config/route/v3/route_components.ts';
import { PreviousHostsPredicate } from '../../proto/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts';
import { duration, pack } from './proto.ts';

// Answers by which a node says that it will not serve the request; another may.
const retriableStatuses = [401, 423, 425, 429, 500, 502, 503, 504];

/**
 * Until the first byte has reached the client, another node is tried, also where the first may have begun to work:
 * the client pays for the one that answers, and no answer at all would be worse than work done twice. A node's
 * `retry-after` is about that node, hence no wait before the next one; where all are busy it goes to the client.
 */
export function retryElsewhere(silenceMs: number): RetryPolicy {
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
export const retrySameNode = (silenceMs: number): RetryPolicy =>
  RetryPolicy.fromPartial({
    retryOn: 'connect-failure,reset-before-request',
    numRetries: 1,
    perTryIdleTimeout: duration(silenceMs),
    retryBackOff: { baseInterval: duration(25), maxInterval: duration(250) },
  });

export function previousHosts() {
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
