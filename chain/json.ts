/** Parts of what is kept as JSON: integers beyond 2⁵³ as decimal strings, bytes as base64, what may be absent as null. */
import { z } from 'zod';
import { parseSuiAddress, type SuiAddress } from '../domain/chain-ids.ts';

export const integer = z.codec(z.string().regex(/^\d{1,20}$/), z.bigint(), {
  decode: (text) => BigInt(text),
  encode: (value) => String(value),
});

/** A tagged integer. */
export const idOf = <Id extends bigint>(tag: (value: bigint) => Id) =>
  z.codec(
    z.string().regex(/^\d{1,20}$/),
    z.custom<Id>((value) => typeof value === 'bigint'),
    {
      decode: (text) => tag(BigInt(text)),
      encode: (id) => String(id),
    },
  );

export const bytes = z.codec(
  z.base64(),
  z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  {
    decode: (text) => new Uint8Array(Buffer.from(text, 'base64')),
    encode: (value) => Buffer.from(value).toString('base64'),
  },
);

export const address = z.custom<SuiAddress>(
  (value) => typeof value === 'string' && parseSuiAddress(value) !== undefined,
);

/** What may be absent is null in JSON, so that each record has all its fields. */
export const maybe = <Value, Json>(schema: z.ZodType<Value, Json>) =>
  z.codec(z.custom<Json | null>(), z.custom<Value | undefined>(), {
    decode: (json) => (json === null ? undefined : z.decode(schema, json)),
    encode: (value) => (value === undefined ? null : z.encode(schema, value)),
  });
