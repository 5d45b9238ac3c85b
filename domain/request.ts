/** Reads an OpenAI request: enough to authorise, bound, route and edit it; everything else passes through untouched. */
import type { Failure } from './failure.ts';
import { isObject, type JsonObject } from './json.ts';
import { type ObjectScan, scanObject } from './json-scan.ts';
import type { Endpoint } from './model.ts';
import { parseChat } from './request-chat.ts';
import { parseCompletion } from './request-completions.ts';
import { parseEmbedding } from './request-embeddings.ts';
import { invalid, isFailure } from './request-fields.ts';
import { parseImage } from './request-images.ts';

/** What the endpoints' parsers find; zero or nothing where it does not apply. */
export type RequestShape = {
  readonly stream: boolean;
  readonly usageWanted: boolean;
  /** The output limit that the caller set, per choice. */
  readonly outputTokensAsked: number | undefined;
  /** How many answers a node may generate. */
  readonly choices: number;
  /** Prompts given as token numbers, whose count is then known. */
  readonly promptTokens: number;
  /** The longest of them, which must fit the context alone. */
  readonly longestPromptTokens: number;
  /** UTF-8 bytes of the prompt's own text. */
  readonly promptBytes: number;
  /** UTF-8 bytes of tool definitions. */
  readonly toolBytes: number;
  /** What templates may print of tools and their calls beyond the bytes of the body: indentation, markup. */
  readonly printedBytes: number;
  /** Whether the caller brings a chat template, whose print has no bound but the context. */
  readonly ownTemplate: boolean;
  readonly messages: number;
  readonly mediaParts: number;
  /** UTF-8 bytes of pictures, sounds and files inside the body, which do not become text. */
  readonly mediaBytes: number;
  readonly images: number;
  readonly imagePixels: number;
};

export type ParsedRequest = RequestShape & {
  readonly endpoint: Endpoint;
  readonly model: string;
  readonly json: JsonObject;
  readonly body: Uint8Array;
  readonly scan: ObjectScan;
};

const nestingMax = 64;
const modelNameLengthMax = 256;

const parsers = {
  chat: parseChat,
  completions: parseCompletion,
  embeddings: parseEmbedding,
  images: parseImage,
} as const satisfies Record<Endpoint, (json: JsonObject) => RequestShape | Failure>;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Checks the body of one endpoint; a failure names the first wrong parameter. */
export function parseRequest(endpoint: Endpoint, body: Uint8Array): ParsedRequest | Failure {
  const scan = scanObject(body);
  if (scan.depth > nestingMax) {
    return invalid(null, `The body nests deeper than ${nestingMax} levels.`);
  }
  const json = parseObject(body);
  if (isFailure(json)) return json;
  const repeated = firstRepeated(scan);
  if (repeated !== undefined) {
    return invalid(repeated, 'The body holds a parameter twice.');
  }
  const { model } = json;
  if (typeof model !== 'string' || model === '' || model.length > modelNameLengthMax) {
    return invalid('model', 'You must provide a model as a non-empty string.');
  }
  const shape = parsers[endpoint](json);
  if (isFailure(shape)) return shape;
  return { ...shape, endpoint, model, json, body, scan };
}

function parseObject(body: Uint8Array): JsonObject | Failure {
  try {
    const json: unknown = JSON.parse(decoder.decode(body));
    return isObject(json) ? json : invalid(null, 'The body must be a JSON object.');
  } catch {
    return invalid(null, 'The body is not valid JSON in UTF-8.');
  }
}

/** Nodes may read a repeated parameter differently than we do, so none is let through. */
function firstRepeated(scan: ObjectScan): string | undefined {
  const seen = new Set<string>();
  for (const { key } of scan.members) {
    if (seen.has(key)) return key.slice(0, modelNameLengthMax);
    seen.add(key);
  }
  return undefined;
}
