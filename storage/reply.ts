/** Reads what Redis answers; an unexpected shape is a bug or a foreign server, so it throws. */

/** A text or an integer as text. */
export function textFrom(reply: unknown): string {
  if (typeof reply === 'string') return reply;
  if (typeof reply === 'number') return String(reply);
  throw new TypeError(`expected a text from Redis, got ${typeof reply}`);
}

/** Nothing where the key or field does not exist. */
export function maybeTextFrom(reply: unknown): string | undefined {
  return reply === null || reply === undefined ? undefined : textFrom(reply);
}

export function listFrom(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new TypeError(`expected a list from Redis, got ${typeof reply}`);
}

export const textsFrom = (reply: unknown): readonly string[] => listFrom(reply).map(textFrom);

/** Fields and values in turn, as HGETALL and stream entries give them. */
export function fieldsFrom(reply: unknown): ReadonlyMap<string, string> {
  const parts = textsFrom(reply);
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < parts.length; index += 2) {
    fields.set(parts[index] ?? '', parts[index + 1] ?? '');
  }
  return fields;
}

export type StreamEntry = {
  readonly id: string;
  readonly fields: ReadonlyMap<string, string>;
};

export function streamEntriesFrom(reply: unknown): readonly StreamEntry[] {
  return listFrom(reply).map((entry) => {
    const [id, fields] = listFrom(entry);
    return { id: textFrom(id), fields: fieldsFrom(fields) };
  });
}
