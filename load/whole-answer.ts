/**
 * Whether an answer of the chat endpoint is the whole answer. Every kind of caller here uses it, k6 included, so it
 * imports nothing.
 */

/** What a caller says of the usage event of a stream; `any` takes it as it comes, as from a node without a gateway. */
export type UsageWish = 'asked' | 'not-asked' | 'any';

export type Tokens = {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
};

export type Verdict =
  /** Tokens are what the caller was told; nothing in a stream without a usage event. */
  | { readonly kind: 'whole'; readonly tokens: Tokens | undefined }
  | { readonly kind: 'broken'; readonly reason: string };

const broken = (reason: string): Verdict => ({ kind: 'broken', reason });

/** Judges an answer in one piece: choices that have finished, and a usage. */
export function judgeJson(text: string): Verdict {
  const answer = parse(text);
  if (answer === undefined) return broken('not JSON');
  const choices = listIn(answer, 'choices');
  if (choices.length === 0) return broken('no choice');
  if (choices.some((choice) => !hasFinished(choice))) return broken('a choice has not finished');
  const tokens = tokensIn(answer);
  return tokens ? { kind: 'whole', tokens } : broken('no usage');
}

/** Judges a stream of one choice: one finish, a usage event only where asked for, `[DONE]` at the very end. */
export function judgeStream(text: string, usage: UsageWish): Verdict {
  if (!text.endsWith('\n\n')) return broken('ends inside an event');
  const events = dataOf(text);
  if (events.indexOf('[DONE]') !== events.length - 1) return broken('[DONE] is not the end');
  const chunks = events.slice(0, -1).map(parse);
  if (chunks.includes(undefined)) return broken('an event is not JSON');
  return judgeChunks(chunks, usage);
}

/** The data of each event; lines that are comments carry none. */
const dataOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(':'))
    .map((line) => (line.startsWith('data: ') ? line.slice('data: '.length) : line));

function judgeChunks(chunks: readonly unknown[], usage: UsageWish): Verdict {
  if (chunks.some((chunk) => field(chunk, 'error') !== undefined)) return broken('an error event');
  const finishes = chunks.flatMap((chunk) => listIn(chunk, 'choices')).filter(hasFinished);
  if (finishes.length !== 1) return broken(`${finishes.length} finish reasons`);
  const told = chunks.map(tokensIn).filter((tokens) => tokens !== undefined);
  if (usage === 'not-asked' && told.length > 0) return broken('usage that was not asked for');
  if (usage === 'asked' && told.length !== 1) return broken(`${told.length} usage events`);
  return { kind: 'whole', tokens: told[0] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;

function listIn(value: unknown, name: string): readonly unknown[] {
  const list = field(value, name);
  return Array.isArray(list) ? list : [];
}

const hasFinished = (choice: unknown): boolean =>
  typeof field(choice, 'finish_reason') === 'string';

function tokensIn(answer: unknown): Tokens | undefined {
  const usage = field(answer, 'usage');
  const input = field(usage, 'prompt_tokens');
  const output = field(usage, 'completion_tokens');
  const cached = field(field(usage, 'prompt_tokens_details'), 'cached_tokens') ?? 0;
  if (typeof input !== 'number' || typeof output !== 'number') return undefined;
  return { input, cachedInput: typeof cached === 'number' ? cached : 0, output };
}
