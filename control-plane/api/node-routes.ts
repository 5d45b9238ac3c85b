/** What nodes tell of themselves, over HTTP. */
import type { Hono } from 'hono';
import type { Failure } from '../../domain/failure.ts';
import { headers, nodeEndpoints } from '../../domain/names.ts';
import { invalid } from '../../domain/request-fields.ts';
import type { Accepted, NodeDesk } from '../nodes/desk.ts';
import { readJson } from './body.ts';
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

const unsigned = invalid(null, 'The header "X-Signature" is missing.');

const toAnswer = (verdict: Accepted | Failure): Response =>
  verdict.kind === 'accepted' ? Response.json({ message: 'Success' }) : toResponse(verdict);
