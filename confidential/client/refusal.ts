/** Refusals that never reach the gateway, in the shape in which it would answer. */

/** OpenAI's error as a response; SDKs do not repeat it. */
export function refusalOf(error: {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  readonly message: string;
}): Response {
  const { status, code, param, message } = error;
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return new Response(JSON.stringify({ error: { message, type, param, code } }), {
    status,
    headers: { 'content-type': 'application/json', 'x-should-retry': 'false' },
  });
}
