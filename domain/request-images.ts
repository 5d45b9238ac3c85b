/** Requests of `/v1/images/generations`. */
import type { Failure } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { RequestShape } from './request.ts';
import { invalid, isFailure, isGiven, utf8Length, wholeNumber } from './request-fields.ts';

export const defaultImageSize = '1024x1024';
const imagesMax = 10;
const sidePixelsMax = 8192;

/** How many pictures of which size; a missing size is the default one. */
export function parseImage(json: JsonObject): RequestShape | Failure {
  const { prompt, stream } = json;
  if (typeof prompt !== 'string' || prompt === '') {
    return invalid('prompt', 'You must provide a prompt as a non-empty text.');
  }
  if (stream === true) return invalid('stream', 'Pictures are not streamed.');
  const images = wholeNumber(json, 'n', { min: 1, max: imagesMax });
  if (isFailure(images)) return images;
  const pixels = parsePixels(json.size);
  if (isFailure(pixels)) return pixels;
  const count = images ?? 1;
  return {
    stream: false,
    usageWanted: false,
    outputTokensAsked: 0,
    choices: 0,
    promptTokens: 0,
    promptBytes: utf8Length(prompt),
    longestPromptTokens: 0,
    toolBytes: 0,
    printedBytes: 0,
    ownTemplate: false,
    messages: 1,
    mediaParts: 0,
    mediaBytes: 0,
    images: count,
    imagePixels: count * pixels,
  };
}

function parsePixels(value: unknown): number | Failure {
  const size = isGiven(value) && value !== 'auto' ? value : defaultImageSize;
  const match = typeof size === 'string' ? /^(\d{1,5})x(\d{1,5})$/.exec(size) : null;
  const width = Number(match?.[1]);
  const height = Number(match?.[2]);
  const good = [width, height].every((side) => side >= 1 && side <= sidePixelsMax);
  if (good) return width * height;
  return invalid('size', `"size" must be WIDTHxHEIGHT, each from 1 to ${sidePixelsMax} pixels.`);
}
