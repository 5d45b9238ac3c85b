/** Requests of `/v1/embeddings`. */
import type { Failure } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { RequestShape } from './request.ts';
import { isFailure, parsePrompt } from './request-fields.ts';

/** Only the input matters: nothing is generated. */
export function parseEmbedding(json: JsonObject): RequestShape | Failure {
  const input = parsePrompt(json.input, 'input');
  if (isFailure(input)) return input;
  return {
    stream: false,
    usageWanted: false,
    outputTokensAsked: 0,
    choices: 0,
    promptTokens: input.tokens,
    promptBytes: input.bytes,
    longestPromptTokens: input.longest,
    toolBytes: 0,
    printedBytes: 0,
    ownTemplate: false,
    messages: input.texts,
    mediaParts: 0,
    mediaBytes: 0,
    images: 0,
    imagePixels: 0,
  };
}
