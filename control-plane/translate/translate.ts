/** From the fleet to Envoy's configuration: pure, so that equal input gives an equal snapshot in every replica. */
import type { Fleet } from '../../domain/fleet.ts';
import { gatewayListener } from './listener.ts';
import { modelResources } from './model-clusters.ts';
import { gatewayRoutes } from './routes.ts';
import { serviceClusterResources } from './service-clusters.ts';
import type { GatewaySettings } from './settings.ts';
import { createSnapshot, danglingReferences, type Snapshot } from './snapshot.ts';

/** @throws where the result refers to what it does not hold, which is a bug. */
export function translate(fleet: Fleet, settings: GatewaySettings): Snapshot {
  const models = modelResources(fleet, settings);
  const snapshot = createSnapshot({
    cluster: [...serviceClusterResources(settings), ...models.cluster],
    endpoint: models.endpoint,
    listener: [gatewayListener(settings)],
    route: [gatewayRoutes(settings)],
  });
  const dangling = danglingReferences(snapshot);
  if (dangling.length > 0) throw new Error(`Inconsistent snapshot: ${dangling.join('; ')}`);
  return snapshot;
}
