/** Reads the `usage` object of a node's answer; a node is a stranger, so anything beyond the bound is not believed. */
import { noUsage, type Usage } from './usage.ts';

/** `absent` where the node told nothing, `implausible` where it told what cannot be. */
export type ReportedUsage = Usage | 'absent' | 'implausible';

/** Counts must be whole and within the bound; zero is a count. Embeddings tell no output tokens, which means none. */
export function parseNodeUsage(value: unknown, bound: Usage): ReportedUsage {
  if (value === undefined || value === null) return 'absent';
  if (!isRecord(value)) return 'implausible';

  const inputTokens = countOf(value.prompt_tokens);
  const outputTokens = countOf(value.completion_tokens ?? 0);
  const cachedInputTokens = cachedTokensOf(value.prompt_tokens_details);
  if (inputTokens === undefined || outputTokens === undefined || cachedInputTokens === undefined) {
    return 'implausible';
  }
  const isWithin =
    inputTokens <= bound.inputTokens &&
    outputTokens <= bound.outputTokens &&
    cachedInputTokens <= inputTokens;
  return isWithin ? { ...noUsage, inputTokens, cachedInputTokens, outputTokens } : 'implausible';
}

/** Whether it says, in counts that could be, more than the bound holds. */
export function isBeyond(value: unknown, bound: Usage): boolean {
  if (!isRecord(value)) return false;
  const inputTokens = countOf(value.prompt_tokens);
  const outputTokens = countOf(value.completion_tokens ?? 0);
  if (inputTokens === undefined || outputTokens === undefined) return false;
  return inputTokens > bound.inputTokens || outputTokens > bound.outputTokens;
}

function cachedTokensOf(details: unknown): number | undefined {
  if (details === undefined || details === null) return 0;
  return isRecord(details) ? countOf(details.cached_tokens ?? 0) : undefined;
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
