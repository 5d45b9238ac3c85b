/** Shows a snapshot in Envoy's own JSON, extensions unpacked, for people and for golden files. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileRegistry, fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { type ResourceType, type Snapshot, typeUrls } from '../snapshot.ts';

export type ReadableSnapshot = Readonly<Record<ResourceType, Readonly<Record<string, JsonValue>>>>;

const descriptors = join(import.meta.dirname, '../../../proto/envoy.binpb');

/** Reads the descriptors that the generated code comes from. */
export function createReader(): (snapshot: Snapshot) => ReadableSnapshot {
  const registry = createFileRegistry(
    fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)),
  );

  function toReadable(type: ResourceType, bytes: Buffer): JsonValue {
    const name = typeUrls[type].replace('type.googleapis.com/', '');
    const schema = registry.getMessage(name);
    if (!schema) throw new Error(`proto/envoy.binpb does not hold ${name}`);
    return toJson(schema, fromBinary(schema, bytes), { registry, useProtoFieldName: true });
  }

  const readAll = (type: ResourceType, { resources }: Snapshot) =>
    Object.fromEntries(
      [...resources[type]].map(([name, { bytes }]) => [name, toReadable(type, bytes)]),
    );

  return (snapshot) => ({
    cluster: readAll('cluster', snapshot),
    endpoint: readAll('endpoint', snapshot),
    listener: readAll('listener', snapshot),
    route: readAll('route', snapshot),
  });
}
