/** What nodes tell of themselves, over HTTP: bodies are read no further than they may be long. */
import type { Context, Hono } from 'hono';
import type { Failure } from '../../domain/failure.ts';
import { headers, nodeEndpoints } from '../../domain/names.ts';
import type { Accepted, NodeDesk } from '../nodes/desk.ts';
import { toResponse } from './response.ts';

const { registration, attestation } = nodeEndpoints;
const attestationsMax = 2;

export function addNodeRoutes(api: Hono, desk: NodeDesk): void {
  let open = 0;
  api.post(registration.path, async (context) => {
    const body = await readJson(context, registration.bodyBytesMax);
    return toAnswer(body.kind === 'json' ? await desk.register(body.value) : body);
  });

  api.put(attestation.path, async (context) => {
    const signature = context.req.header(headers.clientSignature);
    if (signature === undefined) return toResponse(unsigned);
    // Each may take megabytes, and is read before anybody knows who sent it.
    if (open >= attestationsMax) {
      return toResponse({ kind: 'gateway-unavailable', retryAfterMs: 1000 });
    }
    open += 1;
    try {
      const body = await readJson(context, attestation.bodyBytesMax);
      if (body.kind !== 'json') return toResponse(body);
      return toAnswer(await desk.attest({ json: body.value, signature }));
    } finally {
      open -= 1;
    }
  });

  for (const { path, method } of [registration, attestation]) {
    api.all(path, () => toResponse({ kind: 'method-not-allowed', allow: method }));
  }
}

const unsigned: Failure = {
  kind: 'request-invalid',
  param: null,
  message: 'The header "X-Signature" is missing.',
};

const toAnswer = (verdict: Accepted | Failure): Response =>
  verdict.kind === 'accepted' ? Response.json({ message: 'Success' }) : toResponse(verdict);

type Body = { readonly kind: 'json'; readonly value: unknown } | Failure;

async function readJson(context: Context, limitBytes: number): Promise<Body> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of context.req.raw.body ?? []) {
    sizeBytes += piece.length;
    if (sizeBytes > limitBytes) return { kind: 'body-too-large', limitBytes };
    pieces.push(piece);
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
    return { kind: 'json', value: JSON.parse(text) };
  } catch {
    return { kind: 'request-invalid', param: null, message: 'The body is not JSON.' };
  }
}
