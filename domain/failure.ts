/** Every refusal a client can meet, and what it is told. A kind without an answer does not compile. */
import { formatUsd, type PicoUsd } from './money.ts';

export type Failure =
  | { readonly kind: 'key-missing' }
  | { readonly kind: 'key-invalid' }
  | { readonly kind: 'key-revoked' }
  | { readonly kind: 'key-expired' }
  | { readonly kind: 'wallet-unproved' }
  | { readonly kind: 'wallet-taken' }
  | { readonly kind: 'lock-missing' }
  | { readonly kind: 'locks-exceeded'; readonly limit: number; readonly retryAfterMs: number }
  | { readonly kind: 'sealed-oversized'; readonly limitTokens: number }
  | { readonly kind: 'sealed-failed' }
  | { readonly kind: 'scope-denied'; readonly scope: string }
  | { readonly kind: 'model-denied'; readonly model: string }
  | { readonly kind: 'request-invalid'; readonly param: string | null; readonly message: string }
  | { readonly kind: 'body-too-large'; readonly limitBytes: number }
  | { readonly kind: 'content-type-unsupported' }
  | { readonly kind: 'method-not-allowed'; readonly allow: string }
  | { readonly kind: 'path-unknown' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'model-unknown'; readonly model: string }
  | { readonly kind: 'model-unpriced'; readonly model: string }
  | { readonly kind: 'endpoint-unsupported'; readonly model: string; readonly endpoint: string }
  | { readonly kind: 'context-exceeded'; readonly limitTokens: number }
  | { readonly kind: 'balance-exhausted'; readonly missing: PicoUsd }
  | { readonly kind: 'balance-held'; readonly retryAfterMs: number }
  | { readonly kind: 'budget-exhausted'; readonly window: 'day' | 'month' | 'total' }
  | {
      readonly kind: 'budget-held';
      readonly window: 'day' | 'month' | 'total';
      readonly retryAfterMs: number;
    }
  | { readonly kind: 'requests-exceeded'; readonly limit: number; readonly retryAfterMs: number }
  | { readonly kind: 'tokens-exceeded'; readonly limit: number; readonly retryAfterMs: number }
  | { readonly kind: 'tokens-oversized'; readonly limit: number }
  | { readonly kind: 'parallel-exceeded'; readonly limit: number; readonly retryAfterMs: number }
  | { readonly kind: 'units-exhausted'; readonly retryAfterMs: number }
  | { readonly kind: 'no-node'; readonly model: string; readonly retryAfterMs: number }
  | { readonly kind: 'gateway-unavailable'; readonly retryAfterMs: number }
  | { readonly kind: 'node-refused'; readonly message: string }
  | { readonly kind: 'node-busy'; readonly retryAfterMs: number }
  | { readonly kind: 'node-failed' }
  | { readonly kind: 'node-truncated' }
  | { readonly kind: 'node-timeout' }
  | { readonly kind: 'internal' };

type Answer = {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  /** Sent as `x-should-retry`, which SDKs obey before the status. */
  readonly retryable: boolean;
};

const quota = { type: 'insufficient_quota', code: 'insufficient_quota' } as const;
const invalid = { type: 'invalid_request_error', retryable: false } as const;

/** Ordered by status. The README shows the same table. */
export const answers = {
  'request-invalid': { status: 400, code: null, ...invalid },
  'endpoint-unsupported': { status: 400, code: 'unsupported_endpoint', ...invalid },
  'context-exceeded': { status: 400, code: 'context_length_exceeded', ...invalid },
  'tokens-oversized': { status: 400, code: 'request_above_token_limit', ...invalid },
  'sealed-oversized': { status: 400, code: 'request_above_lock', ...invalid },
  'node-refused': { status: 400, code: 'node_refused', ...invalid },
  'key-missing': { status: 401, code: 'invalid_api_key', ...invalid },
  'key-invalid': { status: 401, code: 'invalid_api_key', ...invalid },
  'key-revoked': { status: 401, code: 'invalid_api_key', ...invalid },
  'key-expired': { status: 401, code: 'invalid_api_key', ...invalid },
  'wallet-unproved': { status: 401, code: 'wallet_not_proved', ...invalid },
  'balance-exhausted': { status: 402, ...quota, retryable: false },
  'budget-exhausted': { status: 402, ...quota, retryable: false },
  'scope-denied': { status: 403, code: 'insufficient_permissions', ...invalid },
  'model-denied': { status: 403, code: 'model_not_allowed', ...invalid },
  'path-unknown': { status: 404, code: null, ...invalid },
  'not-found': { status: 404, code: null, ...invalid },
  'model-unknown': { status: 404, code: 'model_not_found', ...invalid },
  'model-unpriced': { status: 404, code: 'model_not_found', ...invalid },
  'method-not-allowed': { status: 405, code: null, ...invalid },
  'wallet-taken': { status: 409, code: 'wallet_taken', ...invalid },
  'lock-missing': { status: 409, code: 'node_lock_missing', ...invalid },
  'body-too-large': { status: 413, code: 'request_too_large', ...invalid },
  'content-type-unsupported': { status: 415, code: null, ...invalid },
  // Outside of what clients repeat by themselves: the same envelope cannot go anywhere else.
  'sealed-failed': {
    status: 424,
    type: 'server_error',
    code: 'locked_node_failed',
    retryable: false,
  },
  'balance-held': {
    status: 429,
    type: 'insufficient_quota',
    code: 'in_flight_budget_exhausted',
    retryable: true,
  },
  'budget-held': {
    status: 429,
    type: 'insufficient_quota',
    code: 'in_flight_budget_exhausted',
    retryable: true,
  },
  'requests-exceeded': {
    status: 429,
    type: 'requests',
    code: 'rate_limit_exceeded',
    retryable: true,
  },
  'parallel-exceeded': {
    status: 429,
    type: 'requests',
    code: 'rate_limit_exceeded',
    retryable: true,
  },
  'tokens-exceeded': { status: 429, type: 'tokens', code: 'rate_limit_exceeded', retryable: true },
  'locks-exceeded': { status: 429, type: 'requests', code: 'rate_limit_exceeded', retryable: true },
  'node-busy': { status: 429, type: 'requests', code: 'rate_limit_exceeded', retryable: true },
  internal: { status: 500, type: 'server_error', code: 'internal_error', retryable: true },
  'node-failed': { status: 502, type: 'server_error', code: 'upstream_error', retryable: true },
  'node-truncated': {
    status: 502,
    type: 'server_error',
    code: 'upstream_stream_truncated',
    retryable: true,
  },
  'gateway-unavailable': {
    status: 503,
    type: 'server_error',
    code: 'gateway_unavailable',
    retryable: true,
  },
  'units-exhausted': {
    status: 503,
    type: 'server_error',
    code: 'stack_exhausted',
    retryable: true,
  },
  'no-node': { status: 503, type: 'server_error', code: 'no_healthy_node', retryable: true },
  'node-timeout': { status: 504, type: 'server_error', code: 'upstream_timeout', retryable: true },
} as const satisfies Record<Failure['kind'], Answer>;

/** An OpenAI error: the status, the headers that steer a client's retries, and the JSON body. */
export type ErrorAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** The one place where a refusal becomes words for a client. */
export function toErrorAnswer(failure: Failure): ErrorAnswer {
  const { status, retryable } = answers[failure.kind];
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'x-should-retry': String(retryable),
      ...retryHeaders(failure),
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(failure.kind === 'method-not-allowed' ? { allow: failure.allow } : {}),
    },
    body: JSON.stringify({ error: toErrorObject(failure) }),
  };
}

/** The `error` object alone, as it also stands in an SSE event after a stream has begun. */
export function toErrorObject(failure: Failure) {
  const { type, code } = answers[failure.kind];
  return { message: messageOf(failure), type, param: paramOf(failure), code };
}

// Clients honour delays of 1 to 60 seconds and use their own backoff outside of that.
const retryAfterMsMin = 1000;
const retryAfterMsMax = 60_000;

function retryHeaders(failure: Failure): Record<string, string> {
  if (!('retryAfterMs' in failure)) return {};
  const waitMs = Math.min(
    Math.max(Math.ceil(failure.retryAfterMs), retryAfterMsMin),
    retryAfterMsMax,
  );
  return { 'retry-after': String(Math.ceil(waitMs / 1000)), 'retry-after-ms': String(waitMs) };
}

function paramOf(failure: Failure): string | null {
  switch (failure.kind) {
    case 'request-invalid':
      return failure.param;
    case 'model-unknown':
    case 'model-unpriced':
    case 'model-denied':
    case 'endpoint-unsupported':
    case 'no-node':
      return 'model';
    default:
      return null;
  }
}

type Texts = {
  readonly [Kind in Failure['kind']]: (failure: Extract<Failure, { kind: Kind }>) => string;
};

const texts: Texts = {
  'key-missing': () => 'No API key was given. Send it in the header "Authorization: Bearer KEY".',
  'key-invalid': () => 'The API key is not valid.',
  'key-revoked': () => 'The API key has been revoked.',
  'key-expired': () => 'The API key has expired.',
  'wallet-unproved': () =>
    'This is not an open challenge of the account, signed by its wallet. Ask for a new one.',
  'wallet-taken': () => 'The wallet is linked to another account.',
  'lock-missing': () =>
    'No lock of this account fits the request: it has expired or was used, or the node has another key by now. Lock a node again and seal the request anew.',
  'locks-exceeded': ({ limit }) => `This account may have ${limit} locks that are not used yet.`,
  'sealed-oversized': ({ limitTokens }) =>
    `The sealed request used more than the ${limitTokens} tokens that it was let in with. State more in "num_compute_units".`,
  'sealed-failed': () =>
    'The locked node did not answer this request. Lock a node again and seal the request anew.',
  'scope-denied': ({ scope }) => `The API key may not use "${scope}".`,
  'model-denied': ({ model }) => `The API key may not use the model "${model}".`,
  'request-invalid': ({ message }) => message,
  'body-too-large': ({ limitBytes }) => `The request body is larger than ${limitBytes} bytes.`,
  'content-type-unsupported': () => 'The content type must be application/json.',
  'method-not-allowed': ({ allow }) => `This path accepts ${allow} only.`,
  'path-unknown': () => 'There is nothing at this path.',
  'not-found': () => 'There is no such object.',
  'model-unknown': ({ model }) => `The model "${model}" does not exist.`,
  'model-unpriced': ({ model }) => `The model "${model}" has no price yet and cannot be used.`,
  'endpoint-unsupported': ({ model, endpoint }) =>
    `The model "${model}" does not serve ${endpoint}.`,
  'context-exceeded': ({ limitTokens }) =>
    `The model's context holds ${limitTokens} tokens; this request needs more.`,
  'balance-exhausted': ({ missing }) =>
    `The balance is too low for this request by ${formatUsd(missing)} USD.`,
  'balance-held': () => 'The balance is held by requests in flight. Try again shortly.',
  'budget-exhausted': ({ window }) => `The budget of this API key (${window}) is used up.`,
  'budget-held': ({ window }) =>
    `The budget of this API key (${window}) is held by requests in flight.`,
  'requests-exceeded': ({ limit }) => `This API key may send ${limit} requests per minute.`,
  'tokens-exceeded': ({ limit }) => `This API key may use ${limit} tokens per minute.`,
  'tokens-oversized': ({ limit }) =>
    `This request alone may use more than the ${limit} tokens per minute of this API key.`,
  'parallel-exceeded': ({ limit }) => `This API key may have ${limit} requests in flight.`,
  'units-exhausted': () => 'The prepaid capacity of this model is used up for the moment.',
  'no-node': ({ model }) => `No node serves the model "${model}" now.`,
  'gateway-unavailable': () => 'The gateway is temporarily unavailable.',
  'node-refused': ({ message }) => message,
  'node-busy': () => 'All nodes of this model are busy. Try again shortly.',
  'node-failed': () => 'The node failed to answer this request.',
  'node-truncated': () => 'The node ended its answer before it was complete.',
  'node-timeout': () => 'The node did not answer in time.',
  internal: () => 'The gateway met an internal error.',
};

function messageOf<Kind extends Failure['kind']>(
  failure: Extract<Failure, { kind: Kind }>,
): string {
  const text: (failure: Extract<Failure, { kind: Kind }>) => string = texts[failure.kind as Kind];
  return text(failure);
}
