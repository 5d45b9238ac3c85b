/** All that one Envoy is configured with, as a value: encoded, versioned by content, and able to check its references. */
import { createHash } from 'node:crypto';

export const resourceTypes = ['cluster', 'endpoint', 'listener', 'route'] as const;
export type ResourceType = (typeof resourceTypes)[number];

type Reference = { readonly type: ResourceType; readonly name: string };

export type Resource = {
  readonly name: string;
  /** Hash of `bytes`: equal content has an equal version, in every process and at every time. */
  readonly version: string;
  readonly bytes: Buffer;
  /** The resources without which this one does not work. */
  readonly refersTo: readonly Reference[];
};

export type Resources = ReadonlyMap<string, Resource>;

export type Snapshot = {
  /** Hash over all resources. */
  readonly version: string;
  readonly resources: Readonly<Record<ResourceType, Resources>>;
};

export const typeUrls = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
} as const satisfies Record<ResourceType, string>;

/** Names and versions encoded resources. */
export function createSnapshot(
  lists: Readonly<Record<ResourceType, readonly Omit<Resource, 'version'>[]>>,
): Snapshot {
  const resources = {
    cluster: toMap(lists.cluster),
    endpoint: toMap(lists.endpoint),
    listener: toMap(lists.listener),
    route: toMap(lists.route),
  };
  return {
    version: versionOf(resourceTypes.map((type) => versionOfAll(resources[type]))),
    resources,
  };
}

/** One version for a set of resources, whatever their order. */
export function versionOfAll(resources: Resources): string {
  const lines = [...resources.values()].map(({ name, version }) => JSON.stringify([name, version]));
  return versionOf(lines.sort(byCodeUnits));
}

/** An order of texts that no locale changes. */
export const byCodeUnits = (left: string, right: string) =>
  left < right ? -1 : Number(left > right);

/** References to what the snapshot does not hold; a sound snapshot has none. */
export function danglingReferences(snapshot: Snapshot): string[] {
  return resourceTypes.flatMap((type) =>
    [...snapshot.resources[type].values()].flatMap(({ name, refersTo }) =>
      refersTo
        .filter((target) => !snapshot.resources[target.type].has(target.name))
        .map((target) => `${type} ${name} refers to ${target.type} ${target.name}`),
    ),
  );
}

function toMap(list: readonly Omit<Resource, 'version'>[]): Resources {
  return new Map(
    list.map((resource) => [resource.name, { ...resource, version: versionOf([resource.bytes]) }]),
  );
}

function versionOf(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 16);
}
