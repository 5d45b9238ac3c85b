/** The order of the steps from a request to a verdict; every step is a port, every refusal a value. */
import type { ApiKey } from '../domain/api-key.ts';
import type { Exchange, SealedTo } from '../domain/exchange.ts';
import { exchangeToJson } from '../domain/exchange-json.ts';
import type { Failure } from '../domain/failure.ts';
import type { Endpoint } from '../domain/model.ts';
import { clusterOf, headers as names, pinnedClusterOf } from '../domain/names.ts';
import type { Reserved } from '../domain/reservation.ts';
import type { Holding } from './hold.ts';
import type { KeyCheck } from './key-check.ts';
import type { LockCheck } from './lock-check.ts';
import { isTarget, targetOf } from './paths.ts';
import type { Admission, AdmissionStep } from './plugin.ts';
import type { Quote, QuoteRequest } from './quote.ts';
import { type Header, toRateHeaders } from './rate-headers.ts';
import type { SealedQuote } from './sealed-quote.ts';

/** A request as Envoy shows it; the body is empty where only the key is asked about. */
export type Check = {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly keyOnly: boolean;
};

/** What lets a request pass: headers for its way to the node, headers for the client, and the exchange for ext-proc. */
type Pass = {
  readonly headers: readonly Header[];
  readonly headersToRemove: readonly string[];
  readonly responseHeaders: readonly Header[];
  readonly exchange: string | undefined;
  /** The only addresses that the request may go to; nothing where Envoy chooses. */
  readonly hosts: string | undefined;
};

export type Verdict =
  | ({ readonly kind: 'admitted' } & Pass)
  /** The key is good; nothing is held, because nothing is for sale here or the body is still to come. */
  | ({ readonly kind: 'authenticated' } & Pass)
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'cancelled' };

export type Decide = (check: Check, signal: AbortSignal) => Promise<Verdict>;

export type Ports = {
  readonly checkKey: KeyCheck;
  readonly quote: (request: QuoteRequest) => Quote | Failure;
  readonly quoteSealed: (request: QuoteRequest) => SealedQuote | Failure;
  readonly locks: LockCheck;
  /** Signs what a caller chose; nothing where the gateway has no stack-owner key. */
  readonly signSealed: ((hash: Uint8Array) => string) | undefined;
  readonly steps: readonly AdmissionStep[];
  readonly hold: Holding['hold'];
  readonly leaseMs: number;
  readonly nowMs: () => number;
};

/** Path, key, request and price, the user's own steps, money: the cheapest refusals stand first. */
export function createDecide(ports: Ports): Decide {
  return async (check, signal) => {
    const target = targetOf(check.method, check.path);
    if (!isTarget(target)) return refuse(target);

    const caller = await ports.checkKey(check.headers.authorization, target.scope);
    if (caller.kind !== 'caller') return refuse(caller);
    if (check.keyOnly) return { kind: 'authenticated', ...unchanged };
    if (target.kind === 'api') return authenticate(check, caller.key);
    const admitting = { ...ports, check, key: caller.key, endpoint: target.endpoint, signal };
    return target.kind === 'sealed' ? admitSealed(admitting) : admit(admitting);
  };
}

type Admitting = Ports & {
  readonly check: Check;
  readonly key: ApiKey;
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal;
};

async function admit(options: Admitting): Promise<Verdict> {
  const { check, key, endpoint, signal } = options;
  assertRequestId(check.requestId);
  const quote = options.quote({ key, endpoint, headers: check.headers, body: check.body });
  if (quote.kind !== 'quote') return refuse(quote);

  const objection = await runSteps(options, quote);
  if (objection) return refuse(objection);

  const exchange = toExchange(options, quote);
  const reserved = await options.hold(toHoldOrder(options, quote), signal);
  if (reserved.kind !== 'reserved') return refuse(reserved);
  return toAdmitted({ check, exchange, quote, reserved });
}

/** The same for a request that only one node can read: its lock names that node, and is used up with the hold. */
async function admitSealed(options: Admitting): Promise<Verdict> {
  const { check, key, endpoint, signal, locks, signSealed } = options;
  assertRequestId(check.requestId);
  const sealed = options.quoteSealed({ key, endpoint, headers: check.headers, body: check.body });
  if (sealed.kind !== 'sealed-quote') return refuse(sealed);
  const { request, nonce, plaintextHash } = sealed;
  const objection = await runSteps(options, sealed.quote);
  if (objection) return refuse(objection);
  const lock = await locks.find(request);
  if ('kind' in lock) return refuse(lock);
  if (!signSealed) return refuse({ kind: 'gateway-unavailable', retryAfterMs });

  const { nodeId, stackId, address } = lock;
  const exchange = toExchange(options, sealed.quote, { nodeId, stackId, nonce });
  const order = { ...toHoldOrder(options, sealed.quote), use: () => locks.use(request) };
  const reserved = await options.hold(order, signal);
  if (reserved.kind !== 'reserved') return refuse(reserved);
  const quote = { ...sealed.quote, signature: signSealed(plaintextHash) };
  // Twice, so that a connection that fails is tried once more.
  return toAdmitted({ check, exchange, quote, reserved, hosts: `${address},${address}` });
}

/** The first objection of the user's own steps, if any. */
async function runSteps(options: Admitting, quote: Quote): Promise<Failure | undefined> {
  if (options.steps.length === 0) return undefined;
  const { check, key, endpoint, signal } = options;
  const { requestId, headers, body } = check;
  const { model, stream, bound, cost } = quote;
  const admission: Admission = {
    ...{ requestId, headers, body, key, endpoint, model, stream, bound },
    costMax: cost,
  };
  for (const step of options.steps) {
    signal.throwIfAborted();
    const result = await step(admission, signal);
    if (result.kind !== 'pass') return result;
  }
  return undefined;
}

function toHoldOrder({ check, key, endpoint, leaseMs }: Admitting, quote: Quote) {
  return {
    money: {
      requestId: check.requestId,
      accountId: key.accountId,
      keyId: key.id,
      limits: key.limits,
      model: quote.model.id,
      endpoint,
      amount: quote.cost,
      tokens: quote.estimatedInputTokens + quote.bound.outputTokens,
      leaseMs,
    },
    units: quote.units,
    priceVersion: quote.price.version,
    use: undefined,
  };
}

function toExchange(
  { check, key, endpoint, nowMs }: Admitting,
  quote: Quote,
  sealed?: SealedTo,
): Exchange {
  const { price, bound, estimatedInputTokens, units, stream, usageWanted, edits } = quote;
  return {
    requestId: check.requestId,
    accountId: key.accountId,
    keyId: key.id,
    model: quote.model.id,
    reserved: quote.cost,
    startedMs: nowMs(),
    ...{ endpoint, price, bound, estimatedInputTokens, units, stream, usageWanted, edits },
    sealed,
  };
}

function toAdmitted(options: {
  readonly check: Check;
  readonly exchange: Exchange;
  readonly quote: Quote;
  readonly reserved: Reserved;
  readonly hosts?: string;
}): Verdict {
  const { check, exchange, quote, reserved, hosts } = options;
  const headers: Header[] = exchange.sealed
    ? [
        [names.cluster, pinnedClusterOf(exchange.model)],
        [names.pinned, '1'],
      ]
    : [[names.cluster, clusterOf(exchange.model)]];
  if (exchange.stream) headers.push([names.stream, '1']);
  if (exchange.edits.length > 0) headers.push([names.edit, '1']);
  if (quote.signature !== undefined) headers.push([signatureHeader, quote.signature]);
  return {
    kind: 'admitted',
    headers,
    headersToRemove: smuggledIn(check.headers, headers),
    responseHeaders: toRateHeaders(reserved),
    exchange: exchangeToJson(exchange),
    hosts,
  };
}

function authenticate({ headers }: Check, key: ApiKey): Verdict {
  const own: Header[] = [
    [names.account, key.accountId],
    [names.key, key.id],
  ];
  const headersToRemove = smuggledIn(headers, own);
  return { kind: 'authenticated', ...unchanged, headers: own, headersToRemove };
}

const signatureHeader = 'x-signature';
const ourNames = new Set([signatureHeader, 'x-tx-digest', 'x-user-id']);

/**
 * Names that only we may set and this request brought along. Envoy strips them before us; where its configuration fails
 * to, they must not reach a node or a route. What we overwrite is left out, since removal comes last.
 */
function smuggledIn(headers: Check['headers'], own: readonly Header[]): string[] {
  return Object.keys(headers).filter(
    (name) =>
      (name.startsWith('x-atoma-') || name.startsWith('x-stack-') || ourNames.has(name)) &&
      !own.some(([set]) => set === name),
  );
}

/** Envoy makes the id; a request without one could not be released or settled, so that it is a fault of the setup. */
function assertRequestId(requestId: string): void {
  if (!/^[\w-]{1,64}$/.test(requestId)) throw new Error('the request has no usable x-request-id');
}

const retryAfterMs = 1000;

const refuse = (failure: Failure): Verdict => ({ kind: 'refused', failure });

const unchanged: Pass = {
  headers: [],
  headersToRemove: [],
  responseHeaders: [],
  exchange: undefined,
  hosts: undefined,
};
