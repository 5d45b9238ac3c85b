/** An example admission step of ext-authz: refuses, before any money is held, requests whose body is larger than their model may be sent. */
import { z } from 'zod';
import type { AdmissionPlugin } from '../ext-authz/plugin.ts';

/** Strict: a misspelt setting stops the start. */
const config = z.strictObject({
  /** Bytes of the whole body, by model; models that are not named have no limit here. */
  bytesMax: z.record(z.string(), z.int().min(1)),
});

export const plugin = {
  name: 'prompt-size',
  config,
  create({ bytesMax }) {
    const limits = new Map(Object.entries(bytesMax));
    return async ({ model, body }) => {
      const limitBytes = limits.get(model.id);
      if (limitBytes === undefined || body.length <= limitBytes) return { kind: 'pass' };
      return { kind: 'body-too-large', limitBytes };
    };
  },
} satisfies AdmissionPlugin<z.infer<typeof config>>;
