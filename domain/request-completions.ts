/** Requests of `/v1/completions`. */
import type { Failure } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { RequestShape } from './request.ts';
import {
  choicesMax,
  invalid,
  isFailure,
  parsePrompt,
  parseStream,
  wholeNumber,
} from './request-fields.ts';

/** Prompts times answers to each. */
const answersMax = 2048;

/** The prompt, the output limit, and how many answers a node generates for each prompt. */
export function parseCompletion(json: JsonObject): RequestShape | Failure {
  const stream = parseStream(json);
  if (isFailure(stream)) return stream;
  if (json.prompt === undefined) return invalid('prompt', 'You must provide a prompt.');
  const prompt = parsePrompt(json.prompt, 'prompt');
  if (isFailure(prompt)) return prompt;
  const outputTokensAsked = wholeNumber(json, 'max_tokens', {
    min: 1,
    max: Number.MAX_SAFE_INTEGER,
  });
  if (isFailure(outputTokensAsked)) return outputTokensAsked;
  const answers = parseAnswers(json);
  if (isFailure(answers)) return answers;
  const choices = answers * prompt.texts;
  if (choices > answersMax) {
    return invalid('prompt', `A request may ask for at most ${answersMax} answers in all.`);
  }
  return {
    ...stream,
    outputTokensAsked,
    choices,
    promptTokens: prompt.tokens,
    promptBytes: prompt.bytes,
    longestPromptTokens: prompt.longest,
    toolBytes: 0,
    printedBytes: 0,
    ownTemplate: false,
    messages: prompt.texts,
    mediaParts: 0,
    mediaBytes: 0,
    images: 0,
    imagePixels: 0,
  };
}

/** `best_of` answers are generated, and paid, even where only `n` are returned. */
function parseAnswers(json: JsonObject): number | Failure {
  const bounds = { min: 1, max: choicesMax };
  const returned = wholeNumber(json, 'n', bounds);
  if (isFailure(returned)) return returned;
  const generated = wholeNumber(json, 'best_of', bounds);
  if (isFailure(generated)) return generated;
  return Math.max(returned ?? 1, generated ?? 1);
}
