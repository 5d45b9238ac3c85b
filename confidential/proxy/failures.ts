/** What callers of the proxy are told where there is no answer: OpenAI's errors, before an answer or in the midst of it. */
import { UnprovenError, UnsealableError } from '../client/errors.ts';

type Words = {
  readonly status: number;
  readonly code: string;
  readonly isRepeatable: boolean;
  readonly message: string;
};

const words = {
  browser: {
    status: 403,
    code: 'browser_refused',
    isRepeatable: false,
    message: 'The sealing proxy answers no pages in browsers.',
  },
  unsealable: {
    status: 404,
    code: 'unsealable',
    isRepeatable: false,
    message: 'This has no sealed form, and was not sent.',
  },
  'too-large': {
    status: 413,
    code: 'request_too_large',
    isRepeatable: false,
    message: 'The body must be UTF-8 of at most 2 MiB.',
  },
  busy: {
    status: 429,
    code: 'rate_limit_exceeded',
    isRepeatable: true,
    message: 'The sealing proxy has too many open requests.',
  },
  // Nobody hears it.
  left: {
    status: 499,
    code: 'client_closed_request',
    isRepeatable: false,
    message: 'The caller left.',
  },
  'node-unproven': {
    status: 502,
    code: 'node_unproven',
    isRepeatable: true,
    message: 'The node was not proven; nothing was sealed.',
  },
  'answer-unproven': {
    status: 502,
    code: 'answer_unproven',
    // The node may have worked already: to ask again is the caller's to decide.
    isRepeatable: false,
    message: 'The answer was not proven.',
  },
  unreachable: {
    status: 502,
    code: 'upstream_error',
    isRepeatable: false,
    message: 'The gateway did not answer, or broke off.',
  },
  timeout: {
    status: 504,
    code: 'upstream_timeout',
    isRepeatable: false,
    message: 'The answer took too long.',
  },
} as const satisfies Record<string, Words>;

export type Failure = keyof typeof words;

/** What was thrown, in one word. */
export function failureOf(cause: unknown): Failure {
  if (cause instanceof UnprovenError) return cause.isSent ? 'answer-unproven' : 'node-unproven';
  if (cause instanceof UnsealableError) return 'unsealable';
  const name = cause instanceof Error ? cause.name : '';
  if (name === 'TimeoutError') return 'timeout';
  return name === 'AbortError' ? 'left' : 'unreachable';
}

/** The refusal as an answer; what was not proven is told. */
export function refuse(failure: Failure, cause?: unknown): Response {
  const { status, isRepeatable } = words[failure];
  return new Response(bodyOf(failure, cause), {
    status,
    headers: {
      'content-type': 'application/json',
      'x-should-retry': String(isRepeatable),
      ...(isRepeatable && { 'retry-after': '1', 'retry-after-ms': '1000' }),
    },
  });
}

function bodyOf(failure: Failure, cause: unknown): string {
  const { status, code, message } = words[failure];
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  const told = cause instanceof UnprovenError ? `${message} Reason: ${cause.message}.` : message;
  return JSON.stringify({ error: { message: told, type, param: null, code } });
}

/**
 * The answer, begun: what breaks before its first part is a refusal with a status, what breaks later an error event in a
 * stream, and else a broken connection.
 */
export async function breakable(
  answer: Response,
  hooks: { readonly ended: () => void; readonly failed: (cause: unknown) => Failure },
): Promise<Response> {
  const { status, headers } = answer;
  const reader = answer.body?.getReader();
  const first = await reader?.read();
  if (!reader || !first || first.done) {
    hooks.ended();
    return new Response(null, { status, headers });
  }
  const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(first.value),
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
      } catch (cause) {
        const failure = hooks.failed(cause);
        hooks.ended();
        if (!isStream) throw cause;
        controller.enqueue(new TextEncoder().encode(`data: ${bodyOf(failure, cause)}\n\n`));
      }
      hooks.ended();
      controller.close();
    },
    async cancel(reason) {
      hooks.ended();
      await reader.cancel(reason);
    },
  });
  return new Response(body, { status, headers });
}
