/** The usage outside of sealed answers, which nobody has signed. */
import { isObject, type JsonObject } from '../domain/json.ts';

/** SDKs demand a count of output tokens, which embeddings do not have: the usage with it; nothing where nothing is missing. */
export function completedUsage(usage: unknown): JsonObject | undefined {
  if (!isObject(usage) || usage.completion_tokens !== undefined) return undefined;
  return { ...usage, completion_tokens: 0 };
}
