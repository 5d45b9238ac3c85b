/** What a run asks of its helper processes, and what they answer, over Node's IPC. */
import { z } from 'zod';

const nodeOrder = z.strictObject({
  kind: z.literal('node'),
  model: z.string(),
  events: z.int(),
  eventGapMs: z.int(),
});

const networkOrder = z.strictObject({
  kind: z.literal('network'),
  stackOwnerAddress: z.string(),
});

const loadOrder = z.strictObject({
  kind: z.literal('load'),
  url: z.string(),
  apiKey: z.string(),
  model: z.string(),
  /** `mixed` makes one request in ten a stream. */
  mode: z.enum(['json', 'sse', 'mixed']),
  /** What is right of usage in a stream. */
  usage: z.enum(['asked', 'not-asked', 'any']),
  requests: z.int().min(1),
  connections: z.int().min(1),
  /** Connections open one after the other over this time. */
  rampMs: z.int().min(0),
  /** After this time no further request begins. */
  deadlineMs: z.int().min(1),
});

const strangersOrder = z.strictObject({
  kind: z.literal('strangers'),
  url: z.string(),
  connections: z.int().min(1),
  durationMs: z.int().min(1),
});

export const orderSchema = z.discriminatedUnion('kind', [
  nodeOrder,
  networkOrder,
  loadOrder,
  strangersOrder,
]);

export type LoadOrder = z.infer<typeof loadOrder>;
export type StrangersOrder = z.infer<typeof strangersOrder>;
export type Order = z.infer<typeof orderSchema>;

const counts = z.record(z.string(), z.number());

export const nodeAnswer = z.object({ url: z.string() });
export const loadAnswer = z.object({
  latenciesMs: z.array(z.number()),
  firstBytesMs: z.array(z.number()),
  seconds: z.number(),
  /** By reason. */
  failures: counts,
});
export const strangersAnswer = z.object({ bytesSent: z.number(), outcomes: counts });

export type LoadAnswer = z.infer<typeof loadAnswer>;
export type StrangersAnswer = z.infer<typeof strangersAnswer>;

/** All failures together, each reason with its count; nothing where every answer was whole. */
export function failuresIn({ failures }: Pick<LoadAnswer, 'failures'>): string | undefined {
  const reasons = Object.entries(failures).map(([reason, count]) => `${count} × ${reason}`);
  return reasons.length === 0 ? undefined : reasons.join(', ');
}
