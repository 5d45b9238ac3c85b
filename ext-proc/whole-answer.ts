/** One answer that Envoy shows as a whole: JSON that is checked and metered, or a node's error. */
import type { Failure } from '../domain/failure.ts';
import { isObject, parseObject } from '../domain/json.ts';
import { refusalStatuses } from '../domain/names.ts';
import type { Ending } from '../domain/reservation.ts';
import { judgeNodeError } from './node-errors.ts';
import type { Pipeline } from './pipeline.ts';
import type { ExchangeContext, ResponseHead } from './plugin.ts';
import type { Refusals } from './refusals.ts';
import { answerWith, proceed, type Reply } from './reply.ts';

const refusals: ReadonlySet<number> = new Set(Object.values(refusalStatuses));

export type Judged = { readonly reply: Reply; readonly ending: Ending; readonly status: number };

/** A success: passes with its bytes untouched unless a plugin replaced them. */
export function judgeAnswer(options: {
  readonly body: Uint8Array;
  readonly status: number;
  readonly pipeline: Pipeline;
  readonly context: ExchangeContext;
}): Judged {
  const { body, pipeline, context } = options;
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString();
  const json = parseObject(text);
  if (!json || isObject(json.error)) return failed({ kind: 'node-failed' }, 'node-failed');

  const passed = pipeline.body({ raw: body, text, json });
  if (passed.kind === 'fail') return failed(passed.failure, passed.ending);
  // There is no leaving out of a whole answer; an empty one would be no JSON.
  if (!passed.part) return failed({ kind: 'internal' }, 'gateway-failed');
  context.tally.delivered = true;
  return {
    reply: { ...proceed, body: passed.part.raw === body ? undefined : passed.part.raw },
    ending: 'completed',
    status: options.status,
  };
}

/** A node's status of 400 or more. */
export function judgeError(options: {
  readonly body: Uint8Array;
  readonly head: ResponseHead;
  readonly context: ExchangeContext;
  readonly refusals: Refusals;
}): Judged {
  const { head, context } = options;
  const { status } = head;
  const { id: node, protocol, stackId } = context.node();
  const judged = judgeNodeError({
    status,
    text: Buffer.from(options.body).toString(),
    protocol,
    retryAfter: head.headers.get('retry-after'),
  });
  if (judged.kind === 'pass') return { reply: proceed, ending: 'refused', status: head.status };
  const { requestId, model } = context.exchange;
  // Attempts at a pinned node are told by nobody else.
  const isToldHere = context.exchange.sealed !== undefined && refusals.has(status);
  if (judged.refusesUs || isToldHere)
    options.refusals.receive({ requestId, model, node, stackId, status });
  context.log.info({ node, status }, 'the node refused a request');
  const ending = endingOf(judged.failure);
  // Whatever else a node says, the envelope can go nowhere else.
  return context.exchange.sealed && ending !== 'refused'
    ? failed({ kind: 'sealed-failed' }, ending)
    : failed(judged.failure, ending);
}

/** The failure in place of the answer. */
export function failed(failure: Failure, ending: Ending): Judged {
  const reply = answerWith(failure);
  return { reply, ending, status: reply.status };
}

function endingOf(failure: Failure): Ending {
  if (failure.kind === 'node-refused') return 'refused';
  return failure.kind === 'node-timeout' ? 'timed-out' : 'node-failed';
}
