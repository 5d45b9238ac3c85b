/** Reads OpenAI requests the way a model server does: lenient about what it does not know. */
import { z } from 'zod';
import type { Endpoint } from '../domain/model.ts';
import { countTokens } from './tokens.ts';

const messageTokens = 3;
const mediaTokens = 64;

const part = z.looseObject({ type: z.string(), text: z.string().optional() });
const message = z.looseObject({
  role: z.string(),
  content: z.union([z.string(), z.array(part)]).nullish(),
});
const count = z.int().min(0).nullish();
const streaming = {
  model: z.string(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  n: z.int().min(1).max(128).nullish(),
};
const tool = z.looseObject({
  type: z.string(),
  function: z.looseObject({ name: z.string(), parameters: z.unknown().optional() }),
});

const chatBody = z.looseObject({
  ...streaming,
  messages: z.array(message).min(1),
  max_tokens: count,
  max_completion_tokens: count,
  tools: z.array(tool).nullish(),
  tool_choice: z.unknown().optional(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
  logprobs: z.boolean().nullish(),
});
const tokenIds = z.array(z.int());
const texts = z.union([z.string(), z.array(z.string()), tokenIds, z.array(tokenIds)]);
const completionBody = z.looseObject({
  ...streaming,
  prompt: texts,
  max_tokens: count,
  logprobs: z.int().nullish(),
});
const embeddingsBody = z.looseObject({
  model: z.string(),
  input: texts,
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).max(4096).nullish(),
});
const imagesBody = z.looseObject({
  model: z.string(),
  prompt: z.string(),
  n: z.int().min(1).max(10).nullish(),
  size: z
    .string()
    .regex(/^\d{1,5}x\d{1,5}$/)
    .nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
});

export type ChatBody = z.infer<typeof chatBody>;

/** A prompt for text, of either endpoint; chat has one, completions may have several. */
export type TextRequest = {
  readonly kind: 'chat' | 'completions';
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly prompts: readonly string[];
  readonly inputTokens: number;
  readonly outputTokensMax: number | undefined;
  readonly choicesPerPrompt: number;
  readonly logprobs: boolean;
  /** Tools and formats of a chat; nothing for completions. */
  readonly chat: ChatBody | undefined;
};
export type EmbeddingsRequest = {
  readonly kind: 'embeddings';
  readonly model: string;
  readonly inputs: readonly string[];
  readonly inputTokens: number;
  readonly encoding: 'float' | 'base64';
  readonly dimensions: number | undefined;
};
export type ImagesRequest = {
  readonly kind: 'images';
  readonly model: string;
  readonly prompt: string;
  readonly images: number;
  readonly pixels: number;
  readonly format: 'url' | 'b64_json';
};
export type InferenceRequest = TextRequest | EmbeddingsRequest | ImagesRequest;
export type Unreadable = { readonly kind: 'unreadable'; readonly message: string };

/** A request, or what is wrong with it in words for the client. */
export function readRequest(endpoint: Endpoint, json: unknown): InferenceRequest | Unreadable {
  switch (endpoint) {
    case 'chat':
      return read(chatBody, json, toChat);
    case 'completions':
      return read(completionBody, json, toCompletion);
    case 'embeddings':
      return read(embeddingsBody, json, toEmbeddings);
    case 'images':
      return read(imagesBody, json, toImages);
  }
}

function read<Body>(
  schema: z.ZodType<Body>,
  json: unknown,
  toRequest: (body: Body) => InferenceRequest,
): InferenceRequest | Unreadable {
  const result = schema.safeParse(json);
  if (result.success) return toRequest(result.data);
  const [issue] = result.error.issues;
  return { kind: 'unreadable', message: `${issue?.path.join('.')}: ${issue?.message}` };
}

function toChat(body: ChatBody): InferenceRequest {
  const contents = body.messages.map(({ content }) => content ?? '');
  const tools = body.tools?.length ? countTokens(JSON.stringify(body.tools)) : 0;
  return {
    kind: 'chat',
    model: body.model,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    prompts: [contents.map(textOf).join('\n')],
    inputTokens: contents.reduce((sum, content) => sum + contentTokens(content), tools),
    outputTokensMax: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    choicesPerPrompt: body.n ?? 1,
    logprobs: body.logprobs ?? false,
    chat: body,
  };
}

type Content = string | readonly z.infer<typeof part>[];

const textOf = (content: Content): string =>
  typeof content === 'string' ? content : content.map(({ text }) => text ?? '').join(' ');

function contentTokens(content: Content): number {
  if (typeof content === 'string') return countTokens(content) + messageTokens;
  return content.reduce(
    (sum, { text }) => sum + (text === undefined ? mediaTokens : countTokens(text)),
    messageTokens,
  );
}

function toCompletion(body: z.infer<typeof completionBody>): InferenceRequest {
  const prompts = promptsOf(body.prompt);
  return {
    kind: 'completions',
    model: body.model,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    prompts: prompts.map(({ text }) => text),
    inputTokens: prompts.reduce((sum, { tokens }) => sum + tokens, 0),
    outputTokensMax: body.max_tokens ?? undefined,
    choicesPerPrompt: body.n ?? 1,
    logprobs: typeof body.logprobs === 'number',
    chat: undefined,
  };
}

function promptsOf(input: z.infer<typeof texts>): { text: string; tokens: number }[] {
  if (typeof input === 'string') return [{ text: input, tokens: countTokens(input) }];
  if (isTokenIds(input)) return [{ text: input.join(' '), tokens: input.length }];
  return input.map((item) =>
    typeof item === 'string'
      ? { text: item, tokens: countTokens(item) }
      : { text: item.join(' '), tokens: item.length },
  );
}

function isTokenIds(input: readonly (string | number | number[])[]): input is number[] {
  return input.length > 0 && typeof input[0] === 'number';
}

function toEmbeddings(body: z.infer<typeof embeddingsBody>): InferenceRequest {
  const inputs = promptsOf(body.input);
  return {
    kind: 'embeddings',
    model: body.model,
    inputs: inputs.map(({ text }) => text),
    inputTokens: inputs.reduce((sum, { tokens }) => sum + tokens, 0),
    encoding: body.encoding_format ?? 'float',
    dimensions: body.dimensions ?? undefined,
  };
}

function toImages(body: z.infer<typeof imagesBody>): InferenceRequest {
  const [width = 0, height = 0] = (body.size ?? '1024x1024').split('x').map(Number);
  const images = body.n ?? 1;
  return {
    kind: 'images',
    model: body.model,
    prompt: body.prompt,
    images,
    pixels: images * width * height,
    format: body.response_format ?? 'b64_json',
  };
}
