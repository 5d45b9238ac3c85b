/** Asks the plugins of ext-proc how much of each request Envoy must show them. */
import { z } from 'zod';
import type { Logger } from '../runtime/log.ts';
import { loadPlugins, type PluginEntry } from '../runtime/plugin.ts';

const phases = ['headers', 'body'] as const;
export type RequestPhases = (typeof phases)[number];

const answer = z.object({ hooks: z.object({ request: z.enum(phases) }) });

/**
 * The most that any of them wants. The plugins are created here as in ext-proc, but never begin an exchange.
 * @throws where a module cannot be used or does not say.
 */
export async function requestHooksOf(
  entries: readonly PluginEntry[],
  options: { readonly folder: string; readonly log: Logger },
): Promise<RequestPhases> {
  const { folder, log } = options;
  const plugins = await loadPlugins<{ log: Logger }, unknown>(entries, { folder, tools: { log } });
  const wanted = new Set(plugins.map((plugin) => answer.parse(plugin).hooks.request));
  return phases.findLast((phase) => wanted.has(phase)) ?? 'headers';
}
