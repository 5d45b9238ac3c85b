/** The life of one exchange in ext-proc: hooks in order, and one answer to each message. */
import type { Exchange } from '../domain/exchange.ts';
import type { Failure } from '../domain/failure.ts';
import type { Ending } from '../domain/reservation.ts';
import { createExchangeState, type RunTools } from './exchange-state.ts';
import { createLargeAnswer, type LargeAnswer } from './large-answer.ts';
import type { HeaderEdits, HeaderView, NodeIdentity, ResponseHead } from './plugin.ts';
import { costHeader } from './plugins/adapt.ts';
import { proceed, type Reply } from './reply.ts';
import { createSealedLargeAnswer } from './sealed-large-answer.ts';
import { createStreamAnswer, type StreamAnswer } from './stream-answer.ts';
import { failed, type Judged, judgeAnswer, judgeError } from './whole-answer.ts';

/** Who answered: a node, or Envoy itself with the cause in `details`. */
export type Source =
  | { readonly kind: 'node'; readonly node: NodeIdentity }
  | { readonly kind: 'envoy'; readonly node: NodeIdentity; readonly details: string };

type Phase =
  | { readonly kind: 'request' }
  | { readonly kind: 'pieces'; readonly answer: StreamAnswer | LargeAnswer }
  | { readonly kind: 'whole'; readonly head: ResponseHead };

export function createExchangeRun(exchange: Exchange, tools: RunTools) {
  const state = createExchangeState(exchange, tools);
  const { pipeline, context } = state;
  const { tally } = context;
  const { refusals } = tools;
  let phase: Phase = { kind: 'request' };

  function conclude(judged: Judged): Reply {
    state.answered(judged.status);
    state.end(judged.ending);
    return judged.reply;
  }

  function responseHeaders(
    head: ResponseHead,
    { source, isLast }: { source: Source; isLast: boolean },
  ): Reply {
    state.answered(head.status, source.node);
    if (source.kind === 'envoy') return conclude(judgeLocalReply(exchange, { head, source }));
    if (head.status >= 400) return errorHeaders(head, isLast);
    return isGood(exchange, head, isLast)
      ? goodHeaders(head)
      : conclude(failed(unusableTo(exchange), 'node-failed'));
  }

  function errorHeaders(head: ResponseHead, isLast: boolean): Reply {
    if (isLast) return conclude(judgeError({ body: new Uint8Array(), head, context, refusals }));
    phase = { kind: 'whole', head };
    return { ...proceed, headers: pipeline.responseHeaders(head), bodyMode: 'whole' };
  }

  function goodHeaders(head: ResponseHead): Reply {
    const headers = pipeline.responseHeaders(head);
    if (!exchange.stream && !isLarge(exchange, head)) {
      phase = { kind: 'whole', head };
      return { ...proceed, headers, bodyMode: 'whole' };
    }
    phase = { kind: 'pieces', answer: answerInPieces() };
    return { ...proceed, headers, bodyMode: 'streamed' };
  }

  function answerInPieces(): StreamAnswer | LargeAnswer {
    if (!exchange.stream) {
      return exchange.sealed
        ? createSealedLargeAnswer({ pipeline, tally })
        : createLargeAnswer({ pipeline, tally });
    }
    const endsBy = context.node().protocol === 'atoma' ? 'usage' : 'done';
    const { nowMs } = tools;
    return createStreamAnswer({ pipeline, tally, endsBy: exchange.sealed ? 'end' : endsBy, nowMs });
  }

  function passPiece(answer: StreamAnswer | LargeAnswer, body: Uint8Array, isLast: boolean): Reply {
    const { bytes, ending } = answer.push(body, isLast);
    state.noteFirstByte();
    if (ending !== undefined) state.end(ending);
    return { ...proceed, body: bytes };
  }

  function wholeBody(head: ResponseHead, body: Uint8Array): Reply {
    if (head.status >= 400) return conclude(judgeError({ body, head, context, refusals }));
    const judged = judgeAnswer({ body, status: head.status, pipeline, context });
    state.noteFirstByte();
    const reply = conclude(judged);
    if (reply.kind !== 'continue') return reply;
    const { cost } = state.chargeAs('completed');
    return {
      ...reply,
      headers: { set: { ...costHeader(cost), ...lengthOf(reply.body) }, remove: [] },
    };
  }

  return {
    requestHeaders: (headers: HeaderView): Reply => withHeaders(pipeline.requestHeaders(headers)),
    requestBody: (body: Uint8Array): Reply => toEdited(body, pipeline.requestBody(body)),
    responseHeaders,
    responseBody(body: Uint8Array, isLast: boolean): Reply {
      if (phase.kind === 'pieces') return passPiece(phase.answer, body, isLast);
      return phase.kind === 'whole' && !state.isEnded() ? wholeBody(phase.head, body) : proceed;
    },
    /** Envoy has let go of the exchange. */
    closed: (): void => state.broken(),
    failed: (): void => state.end('gateway-failed'),
  };
}

export type ExchangeRun = ReturnType<typeof createExchangeRun>;

const withHeaders = (headers: HeaderEdits): Reply => ({ ...proceed, headers });

function toEdited(body: Uint8Array, edited: Uint8Array): Reply {
  if (edited === body) return proceed;
  return { ...proceed, headers: { set: lengthOf(edited), remove: [] }, body: edited };
}

/** Envoy refuses a changed body whose length differs from the header. */
const lengthOf = (body: Uint8Array | undefined): HeaderEdits['set'] =>
  body ? { 'content-length': String(body.length) } : {};

/** Whether it can become the answer that the caller asked for; nothing of it has been passed on yet. */
function isGood(exchange: Exchange, head: ResponseHead, isLast: boolean): boolean {
  const encoding = head.headers.get('content-encoding') ?? 'identity';
  const type = head.headers.get('content-type') ?? '';
  const expected = exchange.stream
    ? /^text\/event-stream\b/i
    : /^application\/(?:[\w.-]+\+)?json\b/i;
  return head.status === 200 && encoding === 'identity' && expected.test(type) && !isLast;
}

/** Half of what Envoy holds of an answer (1 MiB, see the listener). */
const wholeBytesMax = 2 ** 19;

/** Whether the answer may be too large for Envoy to hold; of unknown length, only texts are small. */
function isLarge({ endpoint }: Exchange, { headers }: ResponseHead): boolean {
  const length = headers.get('content-length');
  if (length !== undefined) return Number(length) > wholeBytesMax;
  return endpoint === 'embeddings' || endpoint === 'images';
}

const unusableTo = ({ sealed }: Exchange): Failure => ({
  kind: sealed ? 'sealed-failed' : 'node-failed',
});

/** Envoy's own answer passes; that a sealed request can go nowhere else is for us to say. */
function judgeLocalReply(
  exchange: Exchange,
  { head, source }: { head: ResponseHead; source: Extract<Source, { kind: 'envoy' }> },
): Judged {
  const ending = endingOfLocalReply(source.details);
  const isPassed = !exchange.sealed || ending === 'gateway-failed';
  return isPassed
    ? { reply: proceed, ending, status: head.status }
    : failed(unusableTo(exchange), ending);
}

function endingOfLocalReply(details: string): Ending {
  if (details.startsWith('ext_proc_error')) return 'gateway-failed';
  return /timeout/.test(details) ? 'timed-out' : 'node-failed';
}
