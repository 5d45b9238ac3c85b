/** Signed answers and chunks of an Atoma node (node protocol, sections 9, 10 and 15). */
import { noUsage, type Usage } from '../domain/usage.ts';
import { type Answer, frameOf, type NodeEvent } from './answer.ts';
import type { Admission } from './atoma-admission.ts';
import { atomaError } from './atoma-errors.ts';
import type { AnswerPrinter } from './atoma-printer.ts';
import { type Fault, reportUnder } from './faults.ts';
import type { NodeRequest } from './node-server.ts';
import type { TextRequest } from './requests.ts';
import {
  embeddingsObject,
  type Identity,
  imagesObject,
  type TextReply,
  textChunks,
  textObject,
  textReply,
  usageChunk,
  usageObject,
} from './shapes.ts';
import type { Stacks } from './stacks.ts';

/** Streams that a caller asked to stop, by request id. */
export function createStreamStops() {
  const running = new Map<string, { isStopped: boolean }>();
  return {
    begin(requestId: string): { isStopped: boolean } {
      const state = { isStopped: false };
      running.set(requestId, state);
      return state;
    },
    end: (requestId: string) => void running.delete(requestId),
    stop(requestId: string): void {
      const state = running.get(requestId);
      if (state) state.isStopped = true;
    },
  };
}

type Work = {
  readonly admission: Admission;
  readonly request: NodeRequest;
  readonly identity: Identity;
  readonly printer: AnswerPrinter;
  readonly keepAliveMs: number;
  readonly stacks: Stacks;
  readonly stops: ReturnType<typeof createStreamStops>;
};

/** The answer to an admitted request. */
export function signedAnswer(work: Work): Answer {
  const { admission, request, identity } = work;
  const { parsed } = admission;
  switch (parsed.kind) {
    case 'chat':
    case 'completions': {
      const reply = textReply(parsed, request);
      if (parsed.stream) return streamAnswer(parsed, reply, work);
      return jsonAnswer(textObject(parsed, reply, identity), work, {
        tokens: reply.used.outputTokens,
        usage: reply.reported,
        ended(outcome) {
          const actualUnits = outcome === 'complete' ? unitsOf(reply.used) : 0;
          settle(work, actualUnits);
        },
      });
    }
    case 'embeddings': {
      const used = { ...noUsage, inputTokens: parsed.inputTokens };
      const usage = reportUnder(request.fault, used);
      return unsettled(embeddingsObject(parsed, usage), work, usage);
    }
    case 'images': {
      const usage = { ...noUsage, images: parsed.images, imagePixels: parsed.pixels };
      return unsettled(imagesObject(parsed, identity.createdSeconds), work, usage);
    }
  }
}

const unitsOf = (usage: Usage) => usage.inputTokens + usage.outputTokens;

function settle({ admission, stacks }: Work, actualUnits: number): void {
  stacks.settle(admission.hold, { actualUnits, inputEstimate: admission.estimate.inputUnits });
}

/**
 * Embeddings and pictures: the units stay held and the stack counts as busy for ever, except that sealed ones end, free
 * of charge.
 */
const unsettled = (json: object, work: Work, usage: Usage | undefined) =>
  jsonAnswer(json, work, {
    tokens: 0,
    usage,
    ended() {
      if (work.admission.cipher) settle(work, 0);
    },
  });

function jsonAnswer(
  json: object,
  work: Work,
  rest: Pick<Answer & { kind: 'body' }, 'tokens' | 'usage' | 'ended'>,
): Answer {
  const { admission, printer, request } = work;
  if (admission.cipher && rest.usage === undefined) {
    settle(work, 0);
    return atomaError('internal', 'The backend told no usage.');
  }
  const body = spoilUnder(request.fault, printer.whole(json));
  return { kind: 'body', status: 200, contentType: 'application/json', body, ...rest };
}

const spoilUnder = (fault: Fault | undefined, text: string) =>
  fault?.kind === 'bad-signature' ? spoil(text) : text;

/** Changes one character amid the signature. */
function spoil(text: string): string {
  const at = text.lastIndexOf('"signature":"') + 40;
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
}

function streamAnswer(parsed: TextRequest, reply: TextReply, work: Work): Answer {
  const { admission, identity, keepAliveMs, stops } = work;
  const stop = stops.begin(identity.requestId);
  const progress = { chunks: 0 };
  return {
    kind: 'stream',
    contentType: 'text/event-stream',
    events: streamEvents({ parsed, reply, work, stop, progress }),
    keepAliveMs,
    ended(outcome) {
      stops.end(identity.requestId);
      const estimated = admission.estimate.inputUnits + progress.chunks;
      const isWhole = outcome === 'complete' && !stop.isStopped;
      settle(work, isWhole ? unitsOf(reply.used) : estimated);
    },
  };
}

function* streamEvents(options: {
  parsed: TextRequest;
  reply: TextReply;
  work: Work;
  stop: { readonly isStopped: boolean };
  progress: { chunks: number };
}): Generator<NodeEvent> {
  const { parsed, reply, work, stop, progress } = options;
  const { admission, identity, printer, request } = work;
  const event = (text: string, tokens: number, usage: Usage | undefined): NodeEvent => ({
    text: frameOf(spoilUnder(request.fault, text)),
    tokens,
    usage,
  });
  for (const { json, tokens } of textChunks(parsed, reply, identity)) {
    if (stop.isStopped) {
      const inputTokens = admission.estimate.inputUnits;
      const usage = { ...noUsage, inputTokens, outputTokens: progress.chunks };
      yield event(printer.stopped(json, usageObject(usage)), tokens, usage);
      return;
    }
    progress.chunks += 1;
    yield event(printer.event(json), tokens, undefined);
  }
  // The node asks its backend for usage whatever the caller wants, and sends no end marker.
  if (reply.reported) {
    const chunk = usageChunk(parsed, identity, reply.reported);
    yield event(printer.event(chunk), 0, reply.reported);
  }
}
