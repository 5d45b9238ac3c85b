/** Bodies are read no further than they may be long. */
import type { Context } from 'hono';
import type { Failure } from '../../domain/failure.ts';
import { invalid } from '../../domain/request-fields.ts';

type Body = { readonly kind: 'json'; readonly value: unknown } | Failure;

export async function readJson(context: Context, limitBytes: number): Promise<Body> {
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
    return invalid(null, 'The body is not JSON.');
  }
}
