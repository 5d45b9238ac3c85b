/** Plugins: one value per file, with its own strict settings; users name their modules in the configuration. */
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';

/** `Tools` is what the host lends, `Instance` what the plugin becomes: hooks, an admission step, a discovery source. */
export type Plugin<Config, Tools, Instance> = {
  readonly name: string;
  /** Must be strict: an unknown setting stops the start. */
  readonly config: z.ZodType<Config>;
  create(config: Config, tools: Tools): Instance;
};

const entries = z.array(z.strictObject({ module: z.string().min(1), config: z.unknown() }));

export type PluginEntry = z.infer<typeof entries>[number];

/** A JSON list of `{"module": "./my-plugin.ts", "config": {…}}`, in the order in which they run. */
export const pluginsSetting = z
  .string()
  .default('[]')
  .transform((text, context) => {
    try {
      const value: unknown = JSON.parse(text);
      return value;
    } catch {
      context.addIssue({ code: 'custom', message: 'expected a JSON list of plugins' });
      return z.NEVER;
    }
  })
  .pipe(entries);

/**
 * Imports each module's export `plugin`, checks its settings and creates it.
 * @throws with the module's name where one is missing, is no plugin, or refuses its settings.
 */
export async function loadPlugins<Tools, Instance>(
  list: readonly PluginEntry[],
  options: { readonly folder: string; readonly tools: Tools },
): Promise<Instance[]> {
  const instances: Instance[] = [];
  for (const { module, config } of list) {
    try {
      const plugin = await importPlugin<Tools, Instance>(module, options.folder);
      instances.push(plugin.create(plugin.config.parse(config ?? {}), options.tools));
    } catch (cause) {
      throw new Error(`The plugin ${module} cannot be used`, { cause });
    }
  }
  return instances;
}

async function importPlugin<Tools, Instance>(module: string, folder: string) {
  // A bare name is a package; everything else is a file, relative to the working folder.
  const isFile = module.startsWith('.') || isAbsolute(module);
  const target = isFile ? pathToFileURL(resolve(folder, module)).href : module;
  const loaded: unknown = await import(target);
  return z
    .object({ plugin: z.custom<Plugin<unknown, Tools, Instance>>(isPlugin, 'not a plugin') })
    .parse(loaded).plugin;
}

function isPlugin(value: unknown): boolean {
  return z
    .object({ name: z.string(), config: z.instanceof(z.ZodType), create: z.function() })
    .safeParse(value).success;
}
