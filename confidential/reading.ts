/** Reading JSON of strangers: a value of its shape, or what was expected. */
import type { z } from 'zod';
import { parseJson } from '../domain/json.ts';

/** Says which field is wrong and what was expected, never what came. */
export type Malformed = {
  readonly kind: 'malformed';
  readonly field: string;
  readonly expected: string;
};

export const malformed = (field: string, expected: string): Malformed => ({
  kind: 'malformed',
  field,
  expected,
});

/** The value stands apart, since it may have a `kind` of its own. */
export function readJson<Value>(
  text: string,
  shape: z.ZodType<Value>,
): { readonly kind: 'read'; readonly value: Value } | Malformed {
  const parsed = shape.safeParse(parseJson(text));
  if (parsed.success) return { kind: 'read', value: parsed.data };
  const [issue] = parsed.error.issues;
  return malformed(String(issue?.path[0] ?? ''), 'a JSON object with fields of their types');
}
