/** Discovery from a YAML file of nodes, watched: an edit takes effect without a restart. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { z } from 'zod';
import { Feed } from './feed.ts';
import { parseNodesYaml } from './nodes-yaml.ts';
import type { DiscoveryPlugin, DiscoveryTools } from './source.ts';

/** Editors write in several steps; what is read too early is read again at the next event. */
const debounceMs = 30;
const fileBytesMax = 8 * 2 ** 20;

const config = z.strictObject({ path: z.string().min(1) });

export const fileDiscovery = {
  name: 'file',
  config,
  create({ path }, tools) {
    const file = resolve(path);
    let feed: Feed | undefined;
    let watching: Awaited<ReturnType<typeof watchFile>> | undefined;
    return {
      name: 'file',
      async start(notify) {
        const read = () => readBounded(file);
        const files = new Feed({ name: 'file', read, parse: parseNodesYaml, notify, tools });
        feed = files;
        watching = await watchFile(file, { changed: () => void files.update(), log: tools.log });
        await files.update();
      },
      async close() {
        await watching?.close();
        await feed?.close();
      },
    };
  },
} satisfies DiscoveryPlugin<z.infer<typeof config>>;

async function readBounded(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > fileBytesMax) throw new Error(`larger than ${fileBytesMax} bytes`);
  return readFile(file, 'utf8');
}

/**
 * Watches the folder and not the file alone: editors replace the file by another, and Kubernetes replaces the link
 * `..data` beside it. Where the file is a link, the folder that it leads to is watched as well.
 */
async function watchFile(
  file: string,
  { changed, log }: { changed: () => void; log: DiscoveryTools['log'] },
) {
  const folder = dirname(file);
  let target = await targetOf(file);
  let timer: NodeJS.Timeout | undefined;
  const isWatched = (path: string) =>
    [folder, file, join(folder, '..data'), target, dirname(target)].includes(path);
  const watcher: FSWatcher = watch([folder, file, dirname(target)], {
    depth: 0,
    ignoreInitial: true,
    ignored: (path) => !isWatched(path),
  });
  const followTarget = async () => {
    target = await targetOf(file);
    watcher.add([file, target, dirname(target)]);
  };
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      changed();
      void followTarget();
    }, debounceMs);
  });
  watcher.on('error', (cause) => log.error({ err: cause }, 'the nodes file cannot be watched'));
  await new Promise<void>((ready) => {
    watcher.once('ready', () => ready());
  });
  return {
    close() {
      clearTimeout(timer);
      return watcher.close();
    },
  };
}

const targetOf = (file: string) => realpath(file).catch(() => file);
