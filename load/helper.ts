/** Runs a helper process of a load run: nodes and callers must not share the processor time that is measured. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { z } from 'zod';
import {
  type LoadAnswer,
  type LoadOrder,
  loadAnswer,
  nodeAnswer,
  type Order,
  type StrangersAnswer,
  type StrangersOrder,
  strangersAnswer,
} from './orders.ts';

export type Helper = {
  readonly pid: number;
  startNode(options: { model: string; events: number; eventGapMs: number }): Promise<string>;
  startNetwork(stackOwnerAddress: string): Promise<string>;
  load(order: Omit<LoadOrder, 'kind'>): Promise<LoadAnswer>;
  strangers(order: Omit<StrangersOrder, 'kind'>): Promise<StrangersAnswer>;
  close(): void;
};

/** One helper does one thing at a time. */
export function startHelper(): Helper {
  const child = fork(join(import.meta.dirname, 'worker.ts'), { stdio: 'inherit' });
  return {
    pid: child.pid ?? 0,
    startNode: async (options) => (await ask(child, { kind: 'node', ...options }, nodeAnswer)).url,
    startNetwork: async (stackOwnerAddress) =>
      (await ask(child, { kind: 'network', stackOwnerAddress }, nodeAnswer)).url,
    load: (order) => ask(child, { kind: 'load', ...order }, loadAnswer),
    strangers: (order) => ask(child, { kind: 'strangers', ...order }, strangersAnswer),
    close: () => void child.kill(),
  };
}

function ask<Answer>(
  child: ChildProcess,
  order: Order,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('A helper process ended before it answered.'));
    child.once('exit', ended);
    child.once('message', (answer) => {
      child.off('exit', ended);
      const parsed = schema.safeParse(answer);
      if (parsed.success) resolve(parsed.data);
      else reject(parsed.error);
    });
    child.send(order);
  });
}
