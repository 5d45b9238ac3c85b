/** Makes a request fit the node, and the node's answer fit what the caller asked for. */
import { applyEdits } from '../../domain/edits.ts';
import { formatUsd } from '../../domain/money.ts';
import type { JsonObject } from '../json.ts';
import { isObject } from '../json.ts';
import { type ExtProcPlugin, keep, type Verdict } from '../plugin.ts';

const failed: Verdict = { kind: 'fail', failure: { kind: 'node-failed' }, ending: 'node-failed' };
const dropped: Verdict = { kind: 'drop' };

export const adapt: ExtProcPlugin = {
  name: 'adapt',
  // Envoy shows the body on the routes of exchanges that have edits; this needs no phase of its own.
  hooks: { request: 'none' },
  begin({ exchange, node }) {
    return {
      requestBody: (body) => applyEdits(body, exchange.edits),
      responseHeaders: () => ({
        set: {
          'x-gateway-node': node().id,
          ...(exchange.stream ? { 'cache-control': 'no-cache', 'x-accel-buffering': 'no' } : {}),
        },
        remove: [],
      }),
      responseEvent({ json }) {
        if (isObject(json.error)) return failed;
        return !exchange.usageWanted && isUsageChunk(json) ? dropped : keep;
      },
    };
  },
};

/** The extra chunk of `stream_options.include_usage`: usage and no choices. */
function isUsageChunk(json: JsonObject): boolean {
  return Array.isArray(json.choices) && json.choices.length === 0 && isObject(json.usage);
}

/** The header by which a caller learns what a whole answer cost. */
export const costHeader = (cost: bigint) => ({ 'x-gateway-cost': formatUsd(cost) });
