/** What a request asks for and may cost at most: everything about it that needs no storage. */
import type { ApiKey } from '../domain/api-key.ts';
import { boundOf, estimatedInputTokensOf, unitsOf } from '../domain/bound.ts';
import { applyEdits, bodyBytesMaxFor, editsFor } from '../domain/edits.ts';
import type { BodyEdit } from '../domain/exchange.ts';
import type { Failure } from '../domain/failure.ts';
import type { Endpoint, Model } from '../domain/model.ts';
import { type PicoUsd, picoUsdMax } from '../domain/money.ts';
import { costBoundOf, type Price } from '../domain/price.ts';
import { type ParsedRequest, parseRequest } from '../domain/request.ts';
import type { Usage } from '../domain/usage.ts';
import type { Logger } from '../runtime/log.ts';
import type { CatalogueView } from './catalogue-view.ts';

export type QuoteRequest = {
  readonly key: ApiKey;
  readonly endpoint: Endpoint;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

export type Quote = {
  readonly kind: 'quote';
  readonly model: Model;
  readonly price: Price;
  readonly stream: boolean;
  readonly usageWanted: boolean;
  readonly bound: Usage;
  readonly cost: PicoUsd;
  readonly estimatedInputTokens: number;
  readonly units: number;
  readonly edits: readonly BodyEdit[];
  /** For nodes of the Atoma protocol; nothing where the model has none. */
  readonly signature: string | undefined;
};

/**
 * The header `x-signature` for a body that is JSON, made by the stack-owner key.
 * @throws SyntaxError where a text in it holds half a character, which nodes refuse to read.
 */
export type SignBody = (bodyText: string) => string;

/** The edits travel as metadata beside the request, so that their number is limited. */
const editsMax = 1000;

/** How soon a caller may ask again for a model that no node serves, or while no catalogue is known. */
const noNodeRetryMs = 5000;
const unavailableRetryMs = 1000;

export function createQuoting(options: {
  readonly catalogue: CatalogueView;
  readonly bodyBytesMax: number;
  readonly signBody: SignBody | undefined;
  readonly log: Logger;
}): (request: QuoteRequest) => Quote | Failure {
  const { catalogue, bodyBytesMax, log } = options;

  function sign(body: Uint8Array, edits: readonly BodyEdit[]): Prepared | Failure {
    if (!options.signBody) {
      log.error('a model has Atoma nodes, but ATOMA_STACK_OWNER_KEY_FILE is not set');
      return unavailable;
    }
    try {
      const signature = options.signBody(decoder.decode(applyEdits(body, edits)));
      return { kind: 'prepared', edits, signature };
    } catch (cause) {
      if (cause instanceof SyntaxError) return notUnicode;
      throw cause;
    }
  }

  function prepare(request: ParsedRequest, model: Model): Prepared | Failure {
    const edits = editsFor(request, model);
    if ('kind' in edits) return edits;
    if (edits.length > editsMax) return tooManyEdits;
    if (needsStack(model)) return sign(request.body, edits);
    return { kind: 'prepared', edits, signature: undefined };
  }

  function price(request: ParsedRequest, { model, price }: Priced): Quote | Failure {
    const bound = boundOf(request, model);
    if ('kind' in bound) return bound;
    const cost = costBoundOf(price, bound);
    if (cost > picoUsdMax) return { kind: 'balance-exhausted', missing: cost };
    const prepared = prepare(request, model);
    if (prepared.kind !== 'prepared') return prepared;
    const { stream, usageWanted, endpoint } = request;
    const { edits, signature } = prepared;
    const estimatedInputTokens = estimatedInputTokensOf(request, bound);
    const units = needsStack(model) ? unitsOf(bound, endpoint) : 0;
    return {
      kind: 'quote',
      ...{ model, price, stream, usageWanted, bound, cost, estimatedInputTokens },
      ...{ units, edits, signature },
    };
  }

  return ({ key, endpoint, headers, body }) => {
    const unreadable = objectionTo(headers, body, bodyBytesMax);
    if (unreadable) return unreadable;
    if (!catalogue.isPublished()) return unavailable;
    const request = parseRequest(endpoint, body);
    if ('kind' in request) return request;
    const priced = findPriced(request, { key, catalogue });
    if (priced.kind !== 'priced') return priced;
    const limitBytes = bodyBytesMaxFor(priced.model, bodyBytesMax);
    if (body.length > limitBytes) return { kind: 'body-too-large', limitBytes };
    return price(request, priced);
  };
}

/** What is no JSON in clear, or too long. */
export function objectionTo(
  headers: QuoteRequest['headers'],
  body: Uint8Array,
  limitBytes: number,
): Failure | undefined {
  if (!isPlainJson(headers)) return { kind: 'content-type-unsupported' };
  return body.length > limitBytes ? { kind: 'body-too-large', limitBytes } : undefined;
}

export type Priced = { readonly kind: 'priced'; readonly model: Model; readonly price: Price };

/** The model with its price, where this key may call it this way now. */
export function findPriced(
  { model: id, endpoint }: Pick<ParsedRequest, 'model' | 'endpoint'>,
  { key, catalogue }: { readonly key: ApiKey; readonly catalogue: CatalogueView },
): Priced | Failure {
  if (key.models && !key.models.includes(id)) return { kind: 'model-denied', model: id };
  const model = catalogue.find(id);
  if (!model) return { kind: 'model-unknown', model: id };
  const { price } = model;
  if (!price) return { kind: 'model-unpriced', model: id };
  if (!model.endpoints.includes(endpoint)) {
    return { kind: 'endpoint-unsupported', model: id, endpoint };
  }
  if (model.protocols.length === 0) {
    return { kind: 'no-node', model: id, retryAfterMs: noNodeRetryMs };
  }
  return { kind: 'priced', model, price };
}

type Prepared = {
  readonly kind: 'prepared';
  readonly edits: readonly BodyEdit[];
  readonly signature: string | undefined;
};

const needsStack = (model: Model) => model.protocols.includes('atoma');

const unavailable: Failure = { kind: 'gateway-unavailable', retryAfterMs: unavailableRetryMs };

const tooManyEdits: Failure = {
  kind: 'request-invalid',
  param: null,
  message: 'The body holds too many numbers of more than 15 digits.',
};

const notUnicode: Failure = {
  kind: 'request-invalid',
  param: null,
  message: 'The body holds text that is not valid Unicode.',
};

const decoder = new TextDecoder();

/** JSON that is neither compressed nor anything else; a charset parameter is not looked at. */
function isPlainJson(headers: QuoteRequest['headers']): boolean {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  return /^application\/json[ \t]*(;|$)/i.test(type) && /^(identity)?$/i.test(encoding);
}
