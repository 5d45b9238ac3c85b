/** The most that a request can consume, known before it runs; reservations are made of it. */
import type { Failure } from './failure.ts';
import type { Endpoint, Model } from './model.ts';
import type { ParsedRequest } from './request.ts';
import { bytesPerTokenGuess, type Usage } from './usage.ts';

// A token of text is at least one UTF-8 byte. Chat templates add role markers to each message and a preamble of their own
// (a default system prompt, a date, instructions for tools); other prompts get no more than their special tokens.
const messageTokensMax = 16;
const preambleTokensMax = 1024;
const toolPreambleTokensMax = 1024;

/** What OpenAI and the nodes' servers generate for `/v1/completions` where the caller sets no limit. */
const completionTokensDefault = 16;

/** What an Atoma node is asked for at least, even where the prompt may fill the context. */
const outputTokensFloor = 1024;

const messageTokensGuess = 3;

/** The upper bound; refuses only what cannot fit the model's context whatever the node does. */
export function boundOf(request: ParsedRequest, model: Model): Usage | Failure {
  const context = model.contextTokensMax;
  if (request.longestPromptTokens > context) {
    return { kind: 'context-exceeded', limitTokens: context };
  }
  const inputTokens = inputBoundOf(request, model);
  return {
    inputTokens,
    cachedInputTokens: inputTokens,
    outputTokens: outputLimitOf(request, model).tokens * request.choices,
    images: request.images,
    imagePixels: request.imagePixels,
  };
}

export type OutputLimit = {
  /** The most that one choice can generate. */
  readonly tokens: number;
  /** Whether the body must say so, because the node would not keep to it otherwise. */
  readonly stated: boolean;
};

/** The output limit of one choice: the caller's, else one that the node will keep to and never refuse. */
export function outputLimitOf(request: ParsedRequest, model: Model): OutputLimit {
  const context = model.contextTokensMax;
  const asked = request.outputTokensAsked;
  if (asked !== undefined) return { tokens: Math.min(asked, context), stated: false };
  if (request.endpoint === 'completions') {
    return { tokens: Math.min(completionTokensDefault, context), stated: true };
  }
  const limit = Math.min(model.outputTokensMax, context);
  const room = context - inputBoundOf(request, model);
  if (room >= limit) return { tokens: limit, stated: true };
  if (model.protocols.includes('atoma')) {
    return { tokens: Math.min(limit, Math.max(room, outputTokensFloor)), stated: true };
  }
  // A server refuses a limit that does not fit behind the prompt; without one it fills the context.
  return { tokens: context, stated: false };
}

function inputBoundOf(request: ParsedRequest, model: Model): number {
  // Each text of a list has a context of its own; a chat has one for all messages.
  const contexts = request.endpoint === 'chat' ? 1 : Math.max(1, request.messages);
  const limit = model.contextTokensMax * contexts;
  if (request.ownTemplate) return limit;
  const media = request.mediaParts * model.mediaTokensMax;
  return Math.min(textTokensMaxOf(request) + media, limit);
}

function textTokensMaxOf(request: ParsedRequest): number {
  const textBytes = request.body.length - request.mediaBytes + request.printedBytes;
  const markers = request.messages * messageTokensMax;
  if (request.endpoint !== 'chat') return textBytes + markers;
  const tools = request.toolBytes > 0 ? toolPreambleTokensMax : 0;
  return textBytes + markers + preambleTokensMax + tools;
}

/** The gateway's own guess of the prompt's tokens, for exchanges of which no node tells the true count. */
export function estimatedInputTokensOf(request: ParsedRequest, bound: Usage): number {
  const text = Math.ceil((request.promptBytes + request.toolBytes) / bytesPerTokenGuess);
  const guess = text + request.promptTokens + request.messages * messageTokensGuess;
  return Math.min(guess, bound.inputTokens);
}

/** Compute units that a stack is charged: tokens, or pixels of pictures (Atoma node protocol, unit estimate). */
export function unitsOf(usage: Usage, endpoint: Endpoint): number {
  return endpoint === 'images' ? usage.imagePixels : usage.inputTokens + usage.outputTokens;
}
