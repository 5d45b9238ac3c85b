/** OpenAI's JSON objects and stream chunks, as plain values. */
import { noUsage, type Usage } from '../domain/usage.ts';
import { type Fault, type Pace, reportUnder } from './faults.ts';
import { type Choice, embeddingOf, outputTokensOf, replyTo } from './replies.ts';
import type { EmbeddingsRequest, ImagesRequest, TextRequest } from './requests.ts';

const dimensionsDefault = 256;

/** A transparent picture of one pixel. */
const pngBase64 =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

export type Identity = { readonly requestId: string; readonly createdSeconds: number };

/** A reply to a text request with what it consumed in truth and what is reported. */
export type TextReply = {
  readonly choices: readonly Choice[];
  readonly used: Usage;
  readonly reported: Usage | undefined;
};

/** Decides the reply and its usage. */
export function textReply(
  request: TextRequest,
  options: { pace: Pace; fault: Fault | undefined },
): TextReply {
  const { pace, fault } = options;
  const choices = replyTo(request, pace.replyTokens);
  const used = {
    ...noUsage,
    inputTokens: request.inputTokens,
    cachedInputTokens: Math.floor(request.inputTokens * pace.cachedShare),
    outputTokens: outputTokensOf(choices),
  };
  return { choices, used, reported: reportUnder(fault, used) };
}

/** OpenAI's usage object. */
export const usageObject = (usage: Usage) => ({
  prompt_tokens: usage.inputTokens,
  completion_tokens: usage.outputTokens,
  total_tokens: usage.inputTokens + usage.outputTokens,
  prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
});

const inputUsageObject = (usage: Usage) => ({
  prompt_tokens: usage.inputTokens,
  total_tokens: usage.inputTokens,
});

const headOf = (
  request: TextRequest,
  options: { identity: Identity; object: string; prefix: string },
) => ({
  id: `${options.prefix}-${options.identity.requestId}`,
  object: options.object,
  created: options.identity.createdSeconds,
  model: request.model,
});

/** `chat.completion` or `text_completion`. */
export function textObject(request: TextRequest, reply: TextReply, identity: Identity) {
  const isChat = request.kind === 'chat';
  const head = isChat
    ? headOf(request, { identity, object: 'chat.completion', prefix: 'chatcmpl' })
    : headOf(request, { identity, object: 'text_completion', prefix: 'cmpl' });
  return {
    ...head,
    choices: reply.choices.map((choice, index) =>
      isChat ? chatChoice(request, choice, index) : completionChoice(request, choice, index),
    ),
    ...(reply.reported && { usage: usageObject(reply.reported) }),
  };
}

const toolCallId = (index: number) => `call_${index}`;

function chatChoice(request: TextRequest, choice: Choice, index: number) {
  const text = choice.pieces.join('');
  const { toolCall } = choice;
  const message = toolCall
    ? {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: toolCallId(index),
            type: 'function',
            function: { name: toolCall.name, arguments: text },
          },
        ],
      }
    : { role: 'assistant', content: text };
  const logprobs = request.logprobs ? chatLogprobs(choice.pieces) : null;
  return { index, message, logprobs, finish_reason: choice.finish };
}

function completionChoice(request: TextRequest, choice: Choice, index: number) {
  const logprobs = request.logprobs ? completionLogprobs(choice.pieces) : null;
  return { index, text: choice.pieces.join(''), logprobs, finish_reason: choice.finish };
}

const chatLogprobs = (pieces: readonly string[]) => ({
  content: pieces.map((token) => ({
    token,
    logprob: -0.25,
    bytes: [...Buffer.from(token)],
    top_logprobs: [],
  })),
  refusal: null,
});

const completionLogprobs = (pieces: readonly string[]) => ({
  tokens: pieces,
  token_logprobs: pieces.map(() => -0.25),
  top_logprobs: pieces.map(() => null),
  text_offset: pieces.map((_, at) => pieces.slice(0, at).join('').length),
});

export type Chunk = { readonly json: object; readonly tokens: number };

/** The chunks of a stream up to the last `finish_reason`; the usage chunk is `usageChunk`. */
export function* textChunks(
  request: TextRequest,
  reply: TextReply,
  identity: Identity,
): Generator<Chunk> {
  const head = chunkHead(request, identity);
  const longest = Math.max(0, ...reply.choices.map(({ pieces }) => pieces.length));
  if (request.kind === 'chat') {
    for (const [index, choice] of reply.choices.entries()) {
      yield { json: { ...head, choices: [openingChoice(choice, index)] }, tokens: 0 };
    }
  }
  for (let at = 0; at < longest; at += 1) {
    for (const [index, choice] of reply.choices.entries()) {
      const piece = choice.pieces[at];
      if (piece === undefined) continue;
      yield {
        json: { ...head, choices: [pieceChoice({ request, choice, index, piece })] },
        tokens: 1,
      };
    }
  }
  for (const [index, { finish }] of reply.choices.entries()) {
    const empty = request.kind === 'chat' ? { delta: {} } : { text: '' };
    const choice = { index, ...empty, logprobs: null, finish_reason: finish };
    yield { json: { ...head, choices: [choice] }, tokens: 0 };
  }
}

/** The chunk that carries usage and no choice. */
export const usageChunk = (request: TextRequest, identity: Identity, usage: Usage) => ({
  ...chunkHead(request, identity),
  choices: [],
  usage: usageObject(usage),
});

const chunkHead = (request: TextRequest, identity: Identity) =>
  request.kind === 'chat'
    ? headOf(request, { identity, object: 'chat.completion.chunk', prefix: 'chatcmpl' })
    : headOf(request, { identity, object: 'text_completion', prefix: 'cmpl' });

function openingChoice(choice: Choice, index: number) {
  const { toolCall } = choice;
  const delta = toolCall
    ? {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            index: 0,
            id: toolCallId(index),
            type: 'function',
            function: { name: toolCall.name, arguments: '' },
          },
        ],
      }
    : { role: 'assistant', content: '' };
  return { index, delta, logprobs: null, finish_reason: null };
}

function pieceChoice(options: {
  request: TextRequest;
  choice: Choice;
  index: number;
  piece: string;
}) {
  const { request, choice, index, piece } = options;
  if (request.kind === 'completions') {
    const logprobs = request.logprobs ? completionLogprobs([piece]) : null;
    return { index, text: piece, logprobs, finish_reason: null };
  }
  const delta = choice.toolCall
    ? { tool_calls: [{ index: 0, function: { arguments: piece } }] }
    : { content: piece };
  const logprobs = request.logprobs ? chatLogprobs([piece]) : null;
  return { index, delta, logprobs, finish_reason: null };
}

/** The answer of `/v1/embeddings`. */
export function embeddingsObject(request: EmbeddingsRequest, usage: Usage | undefined) {
  const data = request.inputs.map((text, index) => {
    const vector = embeddingOf(text, request.dimensions ?? dimensionsDefault);
    const embedding = request.encoding === 'float' ? vector : base64Of(vector);
    return { object: 'embedding', index, embedding };
  });
  return {
    object: 'list',
    data,
    model: request.model,
    ...(usage && { usage: inputUsageObject(usage) }),
  };
}

const base64Of = (vector: readonly number[]) =>
  Buffer.from(new Float32Array(vector).buffer).toString('base64');

/** The answer of `/v1/images/generations`; it carries no usage. */
export function imagesObject(request: ImagesRequest, createdSeconds: number) {
  const picture =
    request.format === 'url'
      ? { url: `data:image/png;base64,${pngBase64}` }
      : { b64_json: pngBase64 };
  return { created: createdSeconds, data: Array.from({ length: request.images }, () => picture) };
}
