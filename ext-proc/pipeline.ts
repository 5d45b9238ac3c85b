/** Runs the hooks of one exchange in the order of the chain. */
import type { AnswerSummary } from '../domain/answer-scan.ts';
import { parseObject } from '../domain/json.ts';
import type { Logger } from '../runtime/log.ts';
import type {
  AnswerPart,
  ExchangeHooks,
  HeaderEdits,
  HeaderView,
  Outcome,
  ResponseHead,
  Verdict,
} from './plugin.ts';

/** A part after the chain: `part` is what to forward, nothing where it is left out. */
export type Passed =
  | { readonly kind: 'passed'; readonly part: AnswerPart | undefined }
  | Extract<Verdict, { kind: 'fail' }>;

const encoder = new TextEncoder();

export function createPipeline(chain: readonly ExchangeHooks[], log: Logger) {
  /** Later hooks see what earlier ones made of the part; after a drop or failure they see nothing. */
  function pass(
    part: AnswerPart,
    judge: (hooks: ExchangeHooks, part: AnswerPart) => Verdict | undefined,
    encode: (text: string) => Uint8Array,
  ): Passed {
    let current = part;
    for (const hooks of chain) {
      const verdict = judge(hooks, current);
      if (verdict === undefined || verdict.kind === 'keep') continue;
      if (verdict.kind === 'fail') return verdict;
      if (verdict.kind === 'drop') return { kind: 'passed', part: undefined };
      current = replaced(verdict.text, encode);
    }
    return { kind: 'passed', part: current };
  }

  return {
    requestHeaders: (headers: HeaderView): HeaderEdits =>
      mergeEdits(chain.map((hooks) => hooks.requestHeaders?.(headers))),
    requestBody: (body: Uint8Array): Uint8Array =>
      chain.reduce((current, hooks) => hooks.requestBody?.(current) ?? current, body),
    responseHeaders: (head: ResponseHead): HeaderEdits =>
      mergeEdits(chain.map((hooks) => hooks.responseHeaders?.(head))),
    event: (part: AnswerPart): Passed =>
      pass(
        part,
        (hooks, current) => hooks.responseEvent?.(current),
        (text) => encoder.encode(`data: ${text}\n\n`),
      ),
    body: (part: AnswerPart): Passed =>
      pass(
        part,
        (hooks, current) => hooks.responseBody?.(current),
        (text) => encoder.encode(text),
      ),
    piece(piece: Uint8Array, seen: AnswerSummary): void {
      for (const hooks of chain) hooks.responsePiece?.(piece, seen);
    },
    /** The first failure among the verdicts on a large answer, if any. */
    answerEnd: (summary: AnswerSummary): Extract<Verdict, { kind: 'fail' }> | undefined =>
      chain
        .map((hooks) => hooks.responseEnd?.(summary))
        .find((verdict) => verdict?.kind === 'fail'),
    /** One plugin that throws does not keep the others, the settlement above all, from their end. */
    end(outcome: Outcome): void {
      for (const hooks of chain) {
        try {
          hooks.end?.(outcome);
        } catch (cause) {
          log.error({ err: cause }, 'a plugin failed at the end of an exchange');
        }
      }
    },
  };
}

export type Pipeline = ReturnType<typeof createPipeline>;

function replaced(text: string, encode: (text: string) => Uint8Array): AnswerPart {
  const json = parseObject(text);
  if (!json) throw new Error('a plugin replaced a part by something that is no JSON object');
  return { raw: encode(text), text, json };
}

function mergeEdits(edits: readonly (HeaderEdits | undefined)[]): HeaderEdits {
  return {
    set: Object.assign({}, ...edits.map((edit) => edit?.set)),
    remove: edits.flatMap((edit) => edit?.remove ?? []),
  };
}
