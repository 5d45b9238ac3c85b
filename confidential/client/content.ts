/** What an opened answer or chunk must say, whoever sealed it: its kind, its model, and counts that billing sees as well. */
import { isObject, type JsonObject, objectsIn, parseObject } from '../../domain/json.ts';
import { UnprovenError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import type { SealedEndpoint } from './route.ts';

const wholeKind = {
  chat: 'chat.completion',
  completions: 'text_completion',
  embeddings: 'list',
  images: undefined,
} as const satisfies Record<SealedEndpoint, string | undefined>;

const chunkKind = { ...wholeKind, chat: 'chat.completion.chunk' } as const;

/** Pictures name neither kind nor model. */
type Asked = Pick<Exchange, 'endpoint' | 'request'>;

/** @throws UnprovenError where the text is another kind of answer, or of another model. */
export const expectWhole = (text: string, asked: Asked): JsonObject =>
  expectKind(text, { asked, kind: wholeKind[asked.endpoint] });

/** The same for the chunk of a stream. */
export const expectChunk = (text: string, asked: Asked): JsonObject =>
  expectKind(text, { asked, kind: chunkKind[asked.endpoint] });

function expectKind(
  text: string,
  { asked, kind }: { readonly asked: Asked; readonly kind: string | undefined },
): JsonObject {
  const json = parseObject(text);
  if (!json) throw new UnprovenError('answer', 'the answer is no JSON object');
  if (kind === undefined) return json;
  if (json.object !== kind) throw new UnprovenError('answer', `the answer is no "${kind}"`);
  if (json.model !== asked.request.model) {
    throw new UnprovenError('answer', 'the answer is of another model than the request');
  }
  return json;
}

/** The choices of a text; none where there is no list. */
export const choicesOf = (json: JsonObject): readonly JsonObject[] => objectsIn(json.choices);

export const isFinished = (choice: JsonObject): boolean => typeof choice.finish_reason === 'string';

const counts = ['prompt_tokens', 'completion_tokens', 'total_tokens'] as const;

/**
 * Compares the usage inside the answer with that outside, which nobody signs and by which the request is billed.
 * @throws UnprovenError where they differ or hold no counts.
 */
export function expectUsage(inside: unknown, outside: unknown): void {
  if (!isObject(inside) || !isObject(outside)) {
    throw new UnprovenError('usage', 'the answer tells no usage');
  }
  for (const name of counts) {
    const count = inside[name] ?? 0;
    if (!Number.isSafeInteger(count) || Number(count) < 0) {
      throw new UnprovenError('usage', `"${name}" is no count`);
    }
  }
  // Some clients demand the count of what there is none of, as for embeddings: a gateway may add it.
  if (!isSame({ completion_tokens: 0, ...inside }, { completion_tokens: 0, ...outside })) {
    throw new UnprovenError('usage', 'the usage for billing is not what the node counted');
  }
}

function isSame(left: unknown, right: unknown): boolean {
  if (!isObject(left) || !isObject(right)) return JSON.stringify(left) === JSON.stringify(right);
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) => isSame(left[name], right[name]));
}
