/** The work of whoever holds the lease. */
import { keepStepping, type Stepping } from './stepping.ts';
import { Worker, type WorkerOptions } from './worker.ts';

export type IndexerOptions = WorkerOptions & Stepping;

/** Works until the signal ends or the lease is lost. */
export async function runIndexer(options: IndexerOptions, signal: AbortSignal): Promise<void> {
  const worker = new Worker(options, signal);
  await keepStepping(options, { step: () => worker.step(), signal });
}
