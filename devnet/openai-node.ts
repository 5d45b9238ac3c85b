/** A stand-in for a plain OpenAI server such as vLLM: JSON and streams, tools, logprobs, metrics; no key, no payment. */
import { noUsage } from '../domain/usage.ts';
import { type Answer, bodyAnswer, frameOf, type NodeEvent } from './answer.ts';
import { reportUnder } from './faults.ts';
import {
  type NodeHandle,
  type NodeRequest,
  type NodeServerOptions,
  startNodeServer,
} from './node-server.ts';
import { type InferenceRequest, readRequest, type TextRequest } from './requests.ts';
import type { ServedModel } from './served-model.ts';
import {
  embeddingsObject,
  type Identity,
  imagesObject,
  type TextReply,
  textChunks,
  textObject,
  textReply,
  usageChunk,
} from './shapes.ts';
import { vllmMetrics } from './vllm-metrics.ts';

export type OpenAiNodeOptions = NodeServerOptions & {
  readonly models: readonly ServedModel[];
  /** Requests that it computes at the same time; more of them count as waiting. */
  readonly parallelMax?: number;
};

const none = () => undefined;

/** Starts the node. */
export function createOpenAiNode(options: OpenAiNodeOptions): Promise<NodeHandle> {
  const { models, parallelMax = 256, nowMs = Date.now } = options;
  let open = 0;
  const createdSeconds = () => Math.floor(nowMs() / 1000);
  return startNodeServer(options, {
    opensSealed: false,
    errorBody: (status) => errorBody({ status, message: `The server answers ${status}.` }),
    openChanged(now) {
      open = now;
    },
    page({ method, path }) {
      if (method !== 'GET') return undefined;
      if (path === '/health') return bodyAnswer({ status: 200, body: '' });
      if (path === '/v1/models') return bodyAnswer({ status: 200, body: modelList(models) });
      if (path !== '/metrics') return undefined;
      const running = Math.min(open, parallelMax);
      const load = { running, waiting: open - running, cacheUse: running / parallelMax };
      const body = vllmMetrics(models.map(({ id }) => ({ model: id, ...load })));
      return bodyAnswer({ status: 200, body, contentType: 'text/plain; version=0.0.4' });
    },
    answer(request) {
      const parsed = parseBody(request);
      if (parsed.kind === 'unreadable') return refusal({ status: 400, message: parsed.message });
      const refused = refuseModel(parsed, { models, request });
      if (refused) return refused;
      return answerTo(parsed, request, {
        requestId: request.requestId,
        createdSeconds: createdSeconds(),
      });
    },
  });
}

function parseBody(request: NodeRequest) {
  try {
    return readRequest(request.endpoint, JSON.parse(request.body));
  } catch {
    return { kind: 'unreadable', message: 'The body is not JSON.' } as const;
  }
}

function refuseModel(
  parsed: InferenceRequest,
  options: { models: readonly ServedModel[]; request: NodeRequest },
): Answer | undefined {
  const model = options.models.find(({ id }) => id === parsed.model);
  if (!model?.endpoints.includes(options.request.endpoint)) {
    const message = `The model \`${parsed.model}\` does not exist.`;
    return refusal({ status: 404, message, param: 'model', code: 'model_not_found' });
  }
  if (parsed.kind === 'images') return undefined;
  const output = 'outputTokensMax' in parsed ? (parsed.outputTokensMax ?? 0) : 0;
  if (parsed.inputTokens + output <= model.contextTokens) return undefined;
  const message =
    `This model's maximum context length is ${model.contextTokens} tokens. ` +
    `However, you requested ${parsed.inputTokens + output} tokens.`;
  const param = parsed.kind === 'chat' ? 'messages' : 'prompt';
  return refusal({ status: 400, message, param, code: 'context_length_exceeded' });
}

function answerTo(parsed: InferenceRequest, request: NodeRequest, identity: Identity): Answer {
  const { fault } = request;
  switch (parsed.kind) {
    case 'chat':
    case 'completions': {
      const reply = textReply(parsed, request);
      if (parsed.stream) return streamOf(parsed, reply, identity);
      return jsonAnswer(textObject(parsed, reply, identity), {
        tokens: reply.used.outputTokens,
        usage: reply.reported,
      });
    }
    case 'embeddings': {
      const usage = reportUnder(fault, { ...noUsage, inputTokens: parsed.inputTokens });
      return jsonAnswer(embeddingsObject(parsed, usage), { tokens: 0, usage });
    }
    case 'images': {
      const usage = { ...noUsage, images: parsed.images, imagePixels: parsed.pixels };
      return jsonAnswer(imagesObject(parsed, identity.createdSeconds), { tokens: 0, usage });
    }
  }
}

function jsonAnswer(json: object, used: { tokens: number; usage: TextReply['reported'] }): Answer {
  const body = JSON.stringify(json);
  return { kind: 'body', status: 200, contentType: 'application/json', body, ...used, ended: none };
}

function streamOf(parsed: TextRequest, reply: TextReply, identity: Identity): Answer {
  return {
    kind: 'stream',
    contentType: 'text/event-stream; charset=utf-8',
    events: streamEvents(parsed, reply, identity),
    keepAliveMs: 0,
    ended: none,
  };
}

function* streamEvents(
  parsed: TextRequest,
  reply: TextReply,
  identity: Identity,
): Generator<NodeEvent> {
  const { reported } = reply;
  // A caller who asked for usage finds the member in every chunk, null until the last.
  const extra = parsed.includeUsage ? { usage: null } : {};
  for (const { json, tokens } of textChunks(parsed, reply, identity)) {
    yield { text: frameOf(JSON.stringify({ ...json, ...extra })), tokens, usage: undefined };
  }
  if (parsed.includeUsage && reported) {
    const json = usageChunk(parsed, identity, reported);
    yield { text: frameOf(JSON.stringify(json)), tokens: 0, usage: reported };
  }
  yield { text: 'data: [DONE]\n\n', tokens: 0, usage: undefined };
}

type ErrorWords = {
  readonly status: number;
  readonly message: string;
  readonly param?: string;
  readonly code?: string;
};

function errorBody({ status, message, param, code }: ErrorWords): string {
  const type = status >= 500 ? 'server_error' : 'invalid_request_error';
  return JSON.stringify({ error: { message, type, param: param ?? null, code: code ?? null } });
}

const refusal = (words: ErrorWords) => bodyAnswer({ status: words.status, body: errorBody(words) });

function modelList(models: readonly ServedModel[]): string {
  const data = models.map(({ id, contextTokens }) => ({
    id,
    object: 'model',
    created: 1_700_000_000,
    owned_by: 'vllm',
    max_model_len: contextTokens,
  }));
  return JSON.stringify({ object: 'list', data });
}
