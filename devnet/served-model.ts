/** The models that a stand-in serves. */
import { z } from 'zod';
import { endpoints } from '../domain/model.ts';

const servedModelSchema = z.strictObject({
  id: z.string().min(1),
  endpoints: z.array(z.enum(endpoints)).min(1),
  contextTokens: z.int().min(1),
});

export type ServedModel = z.infer<typeof servedModelSchema>;

/** A chat model with a context large enough for most tests. */
export const chatModel = (id: string): ServedModel => ({
  id,
  endpoints: ['chat', 'completions'],
  contextTokens: 131_072,
});
