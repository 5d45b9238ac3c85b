/** The most that a request can consume, known before it runs; reservations are made of it. */
import type { Failure } from './failure.ts';
import type { Endpoint, Model } from './model.ts';
import type { ParsedRequest } from './request.ts';
import type { Usage } from './usage.ts';

// A token of text is at least one UTF-8 byte. Templates add role markers to each message, and a preamble of their own
// (a default system prompt, a date, instructions for tools); tool definitions may be printed with white space.
const messageTokensMax = 16;
const preambleTokensMax = 128;
const toolPreambleTokensMax = 512;
const toolExpansion = 3;

const bytesPerTokenGuess = 4;
const messageTokensGuess = 3;

/** The upper bound; refuses only what cannot fit the model's context whatever the node does. */
export function boundOf(request: ParsedRequest, model: Model): Usage | Failure {
  const context = model.contextTokensMax;
  if (request.promptTokens > context && request.choices <= 1) {
    return { kind: 'context-exceeded', limitTokens: context };
  }
  const perChoice = outputBoundOf(request, model);
  return {
    inputTokens: inputBoundOf(request, model),
    cachedInputTokens: 0,
    outputTokens: perChoice * request.choices,
    images: request.images,
    imagePixels: request.imagePixels,
  };
}

/** Output tokens of one choice: what the caller asked for, else the model's own limit, never above its context. */
export function outputBoundOf(request: ParsedRequest, model: Model): number {
  return Math.min(request.outputTokensAsked ?? model.outputTokensMax, model.contextTokensMax);
}

function inputBoundOf(request: ParsedRequest, model: Model): number {
  const textBytes = request.body.length - request.mediaBytes;
  const tools = request.toolBytes > 0 ? toolPreambleTokensMax : 0;
  const text =
    textBytes +
    request.messages * messageTokensMax +
    preambleTokensMax +
    request.toolBytes * toolExpansion +
    tools;
  const media = request.mediaParts * model.mediaTokensMax;
  // Each text of a list has a context of its own; a chat has one for all messages.
  const contexts = request.endpoint === 'chat' ? 1 : Math.max(1, request.messages);
  return Math.min(text + media, model.contextTokensMax * contexts);
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
