/** An exchange as one JSON text, as Envoy carries it from ext-authz to ext-proc; amounts are decimal strings. */
import type { BodyEdit, Exchange, SealedTo } from './exchange.ts';
import { isObject, type JsonObject } from './json.ts';
import { type Endpoint, endpoints } from './model.ts';
import { type PicoUsd, picoUsd } from './money.ts';
import type { Price } from './price.ts';
import type { Usage } from './usage.ts';

/** The text of an exchange. */
export function exchangeToJson(exchange: Exchange): string {
  return JSON.stringify(exchange, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  );
}

/** Reads it back; nothing where any part is missing or not what it should be. */
export function exchangeFromJson(text: string): Exchange | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? toExchange(json) : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return undefined;
    throw cause;
  }
}

/** @throws TypeError at the first part that is not what it should be. */
function toExchange(json: JsonObject): Exchange {
  return {
    requestId: toText(json.requestId),
    accountId: toText(json.accountId),
    keyId: toText(json.keyId),
    model: toText(json.model),
    endpoint: toEndpoint(json.endpoint),
    stream: toFlag(json.stream),
    usageWanted: toFlag(json.usageWanted),
    price: toPrice(toObject(json.price)),
    reserved: toAmount(json.reserved),
    bound: toUsage(toObject(json.bound)),
    estimatedInputTokens: toCount(json.estimatedInputTokens),
    units: toCount(json.units),
    startedMs: toCount(json.startedMs),
    edits: toList(json.edits).map((edit) => toEdit(toObject(edit))),
    requestHash: toText(json.requestHash),
    sealed: json.sealed === undefined ? undefined : toSealed(toObject(json.sealed)),
  };
}

function toPrice(json: JsonObject): Price {
  return {
    version: toText(json.version),
    inputToken: toAmount(json.inputToken),
    cachedInputToken: toAmount(json.cachedInputToken),
    outputToken: toAmount(json.outputToken),
    image: toAmount(json.image),
    imagePixel: toAmount(json.imagePixel),
  };
}

function toUsage(json: JsonObject): Usage {
  return {
    inputTokens: toCount(json.inputTokens),
    cachedInputTokens: toCount(json.cachedInputTokens),
    outputTokens: toCount(json.outputTokens),
    images: toCount(json.images),
    imagePixels: toCount(json.imagePixels),
  };
}

const toEdit = (json: JsonObject): BodyEdit => ({
  offset: toCount(json.offset),
  length: toCount(json.length),
  text: toText(json.text),
});

const toSealed = (json: JsonObject): SealedTo => ({
  nodeId: toText(json.nodeId),
  stackId: toText(json.stackId),
  nonce: toText(json.nonce),
});

function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError('expected a text');
}

function toFlag(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError('expected true or false');
}

function toCount(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError('expected a count');
}

function toAmount(value: unknown): PicoUsd {
  const text = toText(value);
  if (/^\d{1,30}$/.test(text)) return picoUsd(BigInt(text));
  throw new TypeError('expected an amount');
}

function toEndpoint(value: unknown): Endpoint {
  const endpoint = endpoints.find((name) => name === value);
  if (endpoint) return endpoint;
  throw new TypeError('expected an endpoint');
}

function toObject(value: unknown): JsonObject {
  if (isObject(value)) return value;
  throw new TypeError('expected an object');
}

function toList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError('expected a list');
}
