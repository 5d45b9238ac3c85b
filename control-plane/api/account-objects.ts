/** An account's balance and its usage as clients see them; money is exact decimal text. */
import type { Failure } from '../../domain/failure.ts';
import { formatUsd } from '../../domain/money.ts';
import { invalid } from '../../domain/request-fields.ts';
import type { Account } from '../../storage/accounts.ts';
import { type UsageLine, type UsagePage, usagePageMax } from '../../storage/usage-list.ts';

export function toAccountObject({ id, name, balance }: Account) {
  return {
    id,
    ...(name === '' ? {} : { name }),
    balance_usd: formatUsd(balance.available),
    reserved_usd: formatUsd(balance.reserved),
    spent_usd: formatUsd(balance.settled),
    deposited_usd: formatUsd(balance.deposited),
    ...(balance.withdrawn > 0n ? { withdrawn_usd: formatUsd(balance.withdrawn) } : {}),
  };
}

export function toUsageList({ lines, next }: UsagePage) {
  return {
    object: 'list',
    data: lines.map(toUsageObject),
    has_more: next !== undefined,
    ...(next === undefined ? {} : { next_cursor: next }),
  };
}

function toUsageObject({ record, charged }: UsageLine) {
  const { usage } = record;
  return {
    time: new Date(record.timeMs).toISOString(),
    request_id: record.requestId,
    key_id: record.keyId,
    model: record.model,
    endpoint: record.endpoint,
    node: record.nodeId,
    input_tokens: usage.inputTokens,
    cached_input_tokens: usage.cachedInputTokens,
    output_tokens: usage.outputTokens,
    images: usage.images,
    image_pixels: usage.imagePixels,
    cost_usd: formatUsd(charged),
    price_version: record.priceVersion,
    status: record.status,
    ending: record.ending,
    estimated: record.estimated,
  };
}

export type UsageQuery = {
  readonly kind: 'query';
  readonly limit: number;
  readonly before: string | undefined;
};

/** The parameters of a URL; any may be missing. */
type Query = Readonly<Partial<Record<string, string>>>;

const usagePageDefault = 20;

/** `limit` and one cursor: `after`, as in OpenAI's lists, and `before` both mean "older than this line". */
export function parseUsageQuery(query: Query): UsageQuery | Failure {
  const { limit = String(usagePageDefault), after, before, ...others } = query;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return invalid(unknown, `There is no parameter "${unknown}".`);
  if ('after' in query && 'before' in query) {
    return invalid('before', 'Use either "after" or "before".');
  }
  const count = /^\d{1,9}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > usagePageMax) {
    return invalid('limit', `"limit" must be a whole number from 1 to ${usagePageMax}.`);
  }
  return { kind: 'query', limit: count, before: before ?? after };
}

/** The answer to a cursor that no page has given. */
export const invalidCursor = (query: Query): Failure =>
  invalid('after' in query ? 'after' : 'before', 'This is not a cursor of a usage page.');
