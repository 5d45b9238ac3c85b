/** Makes a request fit the node, and the node's answer fit what the caller asked for. */
import { applyEdits } from '../../domain/edits.ts';
import type { JsonObject } from '../../domain/json.ts';
import { isObject } from '../../domain/json.ts';
import { formatUsd } from '../../domain/money.ts';
import { type ExtProcPlugin, keep, type Verdict } from '../plugin.ts';

const failed: Verdict = { kind: 'fail', failure: { kind: 'node-failed' }, ending: 'node-failed' };
const dropped: Verdict = { kind: 'drop' };

export const adapt: ExtProcPlugin = {
  name: 'adapt',
  // Envoy shows the body on the routes of exchanges that have edits; others pass unseen.
  hooks: { request: 'headers' },
  begin({ exchange, node }) {
    return {
      requestBody: (body) => applyEdits(body, exchange.edits),
      responseHeaders: ({ headers }) => ({
        set: {
          'x-gateway-node': node().id,
          ...(exchange.stream ? { 'cache-control': 'no-cache', 'x-accel-buffering': 'no' } : {}),
        },
        remove: [...headers.keys()].filter((name) => steering.test(name)),
      }),
      responseEvent({ json }) {
        if (isObject(json.error)) return failed;
        return !exchange.usageWanted && isUsageChunk(json) ? dropped : keep;
      },
    };
  },
};

/** Headers by which a node could steer a caller, or speak in the gateway's name. */
const steering =
  /^(?:set-cookie|server|location|alt-svc|www-authenticate|x-should-retry|x-request-id|retry-after(?:-ms)?|x-(?:ratelimit|gateway|atoma|envoy)-.*)$/;

/** The extra chunk of `stream_options.include_usage`: usage and no choices. */
function isUsageChunk(json: JsonObject): boolean {
  return Array.isArray(json.choices) && json.choices.length === 0 && isObject(json.usage);
}

/** The header by which a caller learns what a whole answer cost. */
export const costHeader = (cost: bigint) => ({ 'x-gateway-cost': formatUsd(cost) });
