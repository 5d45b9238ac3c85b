/** The sources that the configuration names, in the order of their word: file, local network, then the operator's own. */
import { loadPlugins } from '../../runtime/plugin.ts';
import type { Config } from '../config.ts';
import { devnetDiscovery } from './devnet.ts';
import { fileDiscovery } from './file.ts';
import type { DiscoverySource, DiscoveryTools } from './source.ts';

export async function createSources(
  config: Pick<Config, 'ATOMA_NODES_FILE' | 'ATOMA_DEVNET_URL' | 'ATOMA_DISCOVERY_PLUGINS'>,
  options: { readonly folder: string; readonly tools: DiscoveryTools },
): Promise<readonly DiscoverySource[]> {
  const { ATOMA_NODES_FILE: path, ATOMA_DEVNET_URL: url } = config;
  const { tools } = options;
  return [
    ...(path === undefined ? [] : [fileDiscovery.create({ path }, tools)]),
    ...(url === undefined ? [] : [devnetDiscovery.create({ url }, tools)]),
    ...(await loadPlugins<DiscoveryTools, DiscoverySource>(
      config.ATOMA_DISCOVERY_PLUGINS,
      options,
    )),
  ];
}
