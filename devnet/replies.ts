/** What a node answers: a function of the request and the settings only, so that tests know it beforehand. */
import { z } from 'zod';
import type { ChatBody, TextRequest } from './requests.ts';
import { seedOf } from './tokens.ts';

type ToolCall = { readonly name: string; readonly arguments: string };

/** One choice; each piece is one token of output. */
export type Choice = {
  readonly pieces: readonly string[];
  readonly finish: 'stop' | 'length' | 'tool_calls';
  readonly toolCall: ToolCall | undefined;
};

const words =
  'the node answers with words that depend on your prompt alone so each run gives one and same text';
const vocabulary = words.split(' ');

/** The choices of a request; `replyTokens` is what a model would say if nobody limited it. */
export function replyTo(request: TextRequest, replyTokens: number): readonly Choice[] {
  const limit = request.outputTokensMax ?? Number.MAX_SAFE_INTEGER;
  const toolCall = request.chat ? toolCallOf(request.chat, request.prompts[0] ?? '') : undefined;
  const isJson = isJsonWanted(request.chat);
  return request.prompts.flatMap((prompt) =>
    Array.from({ length: request.choicesPerPrompt }, (_, index) => {
      const text = textPieces(seedOf(prompt) + index, replyTokens);
      if (toolCall) return cut(toolPieces(toolCall), { limit, toolCall });
      return cut(isJson ? jsonPieces(text) : text, { limit, toolCall: undefined });
    }),
  );
}

/** Output tokens of all choices. */
export const outputTokensOf = (choices: readonly Choice[]) =>
  choices.reduce((sum, { pieces }) => sum + pieces.length, 0);

function cut(
  pieces: readonly string[],
  options: { limit: number; toolCall: ToolCall | undefined },
): Choice {
  const { limit, toolCall } = options;
  if (pieces.length > limit) {
    return { pieces: pieces.slice(0, limit), finish: 'length', toolCall };
  }
  return { pieces, finish: toolCall ? 'tool_calls' : 'stop', toolCall };
}

function textPieces(seed: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => {
    const word = vocabulary[(seed + index * 7) % vocabulary.length] ?? '';
    return index === 0 ? word : ` ${word}`;
  });
}

/** The text as a JSON object, in pieces. */
function jsonPieces(text: readonly string[]): string[] {
  return ['{"', 'answer', '": "', ...text, '"}'];
}

const isJsonWanted = (chat: ChatBody | undefined) =>
  chat?.response_format?.type === 'json_object' || chat?.response_format?.type === 'json_schema';

const toolPieces = (call: ToolCall) => call.arguments.match(/\w+|[^\w]+/g) ?? [];

const choiceByName = z.looseObject({ function: z.looseObject({ name: z.string() }) });

/** A call of the tool that is named, or of the first where the prompt or the choice asks for one. */
function toolCallOf(chat: ChatBody, prompt: string): ToolCall | undefined {
  const tools = chat.tools ?? [];
  const isAnswered = chat.messages.at(-1)?.role === 'tool';
  if (tools.length === 0 || isAnswered || chat.tool_choice === 'none') return undefined;
  const named = choiceByName.safeParse(chat.tool_choice);
  const wanted = named.success
    ? tools.find((tool) => tool.function.name === named.data.function.name)
    : tools.find((tool) => prompt.includes(tool.function.name));
  const isAsked = chat.tool_choice === 'required' || /\btools?\b/i.test(prompt);
  const tool = wanted ?? (isAsked ? tools[0] : undefined);
  if (!tool) return undefined;
  return {
    name: tool.function.name,
    arguments: JSON.stringify(sampleOf(tool.function.parameters, prompt)),
  };
}

const schemaShape = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
});

/** A value that fits a JSON schema of the usual kinds. */
function sampleOf(schema: unknown, prompt: string): unknown {
  const parsed = schemaShape.safeParse(schema);
  if (!parsed.success) return {};
  const { type, enum: values, properties } = parsed.data;
  if (values?.length) return values[0];
  switch (type) {
    case 'string':
      return vocabulary[seedOf(prompt) % vocabulary.length];
    case 'number':
    case 'integer':
      return seedOf(prompt) % 100;
    case 'boolean':
      return true;
    case 'array':
      return [];
    default:
      return Object.fromEntries(
        Object.entries(properties ?? {}).map(([name, inner]) => [name, sampleOf(inner, prompt)]),
      );
  }
}

/** A vector of length one that depends on the text alone. */
export function embeddingOf(text: string, dimensions: number): number[] {
  let state = seedOf(text) || 1;
  const raw = Array.from({ length: dimensions }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
  const length = Math.hypot(...raw);
  // Six decimals survive every JSON parser unchanged, also that of an Atoma node.
  return raw.map((value) => Math.round((value / length) * 1e6) / 1e6);
}
