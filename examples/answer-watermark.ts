/**
 * An example plugin of ext-proc: tells callers which model and gateway an answer came through, as a response header and,
 * for chosen models, as a field of the answer itself.
 */
import { z } from 'zod';
import type { ExtProcPlugin, ExtProcTools, Verdict } from '../ext-proc/plugin.ts';
import type { Plugin } from '../runtime/plugin.ts';

/** Strict: a misspelt setting stops the start. */
const config = z.strictObject({
  /** Printable ASCII, since it becomes a header. */
  gateway: z.string().regex(/^[\x21-\x7e]{1,64}$/),
  /** Models whose answers also carry the mark inside. */
  markedModels: z.array(z.string()).default([]),
});

const keep: Verdict = { kind: 'keep' };

export const plugin = {
  name: 'answer-watermark',
  config,
  create({ gateway, markedModels }) {
    const marked = new Set(markedModels);
    return {
      name: 'answer-watermark',
      // It has no use for the body of a request, so Envoy need not hold it back.
      hooks: { request: 'headers' },
      begin: ({ exchange }) => ({
        responseHeaders: () => ({ set: { 'x-served-through': gateway }, remove: [] }),
        // Inserted as text: printing the JSON anew would round large numbers.
        responseBody: ({ text }) =>
          marked.has(exchange.model)
            ? { kind: 'replace', text: text.replace('{', `{"served_through":"${gateway}",`) }
            : keep,
      }),
    };
  },
} satisfies Plugin<z.infer<typeof config>, ExtProcTools, ExtProcPlugin>;
