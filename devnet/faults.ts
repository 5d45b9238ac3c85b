/** Faults on command, and the pace of a node; both are set by tests or by hand while it runs. */
import { z } from 'zod';
import type { Usage } from '../domain/usage.ts';

const afterEvents = z.int().min(0).max(100_000).default(1);
const status = z.strictObject({
  kind: z.literal('status'),
  status: z.int().min(400).max(599),
  body: z.string().default(''),
  headers: z.record(z.string(), z.string()).default({}),
});

export const faultSchema = z.discriminatedUnion('kind', [
  /** The connection is reset as soon as the request's headers are in. */
  z.strictObject({ kind: z.literal('refuse') }),
  /** An answer of the given status; an empty body becomes the node's own error for it. */
  status,
  z.strictObject({ kind: z.literal('hang-before-headers') }),
  z.strictObject({ kind: z.literal('hang-after-headers') }),
  /** The connection breaks after so many events, or amid the body of a JSON answer. */
  z.strictObject({ kind: z.literal('cut-mid-stream'), afterEvents }),
  /** The body ends in good form after so many events, or amid the JSON, but the answer is not complete. */
  z.strictObject({ kind: z.literal('end-mid-stream'), afterEvents }),
  z.strictObject({ kind: z.literal('usage-negative') }),
  z.strictObject({ kind: z.literal('usage-huge') }),
  z.strictObject({ kind: z.literal('usage-missing') }),
  z.strictObject({ kind: z.literal('usage-fractional') }),
  z.strictObject({ kind: z.literal('bad-signature') }),
  /** Half a JSON text, as the body or as the data of an event. */
  z.strictObject({ kind: z.literal('malformed-json'), afterEvents }),
  /** Lines that are no events, then the end. */
  z.strictObject({ kind: z.literal('malformed-sse'), afterEvents }),
  /** Few bytes at a time. */
  z.strictObject({
    kind: z.literal('slow-drip'),
    bytes: z.int().min(1).max(65_536).default(16),
    intervalMs: z.int().min(0).max(60_000).default(20),
  }),
  /** Compressed, whatever the caller accepts. */
  z.strictObject({ kind: z.literal('gzip') }),
  /** An error object with status 200: as the body, or as an event after so many others. */
  z.strictObject({
    kind: z.literal('error-frame'),
    afterEvents: z.int().min(0).max(100_000).default(0),
  }),
]);

export type Fault = z.infer<typeof faultSchema>;
/** As written by hand: settings with a default may be left out. */
export type FaultInput = z.input<typeof faultSchema>;

export const paceSchema = z.strictObject({
  firstTokenMs: z.int().min(0).max(600_000),
  /** 0 sends as fast as the connection takes it. */
  tokensPerSecond: z.number().min(0).max(1_000_000),
  /** What the model says if nobody limits it. */
  replyTokens: z.int().min(0).max(1_000_000),
  /** Part of each prompt that the node calls cached, 0 to 1. */
  cachedShare: z.number().min(0).max(1),
});

export type Pace = z.infer<typeof paceSchema>;
export const paceChangeSchema = paceSchema.partial();
export type PaceChange = z.infer<typeof paceChangeSchema>;

export const defaultPace: Pace = {
  firstTokenMs: 0,
  tokensPerSecond: 0,
  replyTokens: 16,
  cachedShare: 0,
};

/** Holds the fault of a node until it is cleared or has hit the given number of requests. */
export function createFaultSwitch() {
  let current: Fault | undefined;
  let left = 0;
  return {
    set(fault: FaultInput, requests: number = Number.POSITIVE_INFINITY): void {
      current = faultSchema.parse(fault);
      left = requests;
    },
    clear(): void {
      current = undefined;
    },
    /** The fault of the next request. */
    take(): Fault | undefined {
      if (left <= 0) current = undefined;
      left -= 1;
      return current;
    },
  };
}

const hugeTokens = 9_000_000_000_000_000;

/** The usage that a node reports under a fault: it need not make sense, and nothing where the node keeps silent. */
export function reportUnder(fault: Fault | undefined, usage: Usage): Usage | undefined {
  const { inputTokens, outputTokens } = usage;
  switch (fault?.kind) {
    case 'usage-negative':
      return { ...usage, inputTokens: -inputTokens, outputTokens: -outputTokens };
    case 'usage-huge':
      return { ...usage, inputTokens: hugeTokens, outputTokens: hugeTokens };
    case 'usage-fractional':
      return { ...usage, inputTokens: inputTokens + 0.5, outputTokens: outputTokens + 0.5 };
    case 'usage-missing':
      return undefined;
    default:
      return usage;
  }
}
