/** The delta and the state-of-the-world messages of xDS, to and from the words of a subscription. */
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  type DiscoveryRequest,
  DiscoveryResponse,
} from '../../proto/gen/envoy/service/discovery/v3/discovery.ts';
import {
  type ResourceType,
  resourceTypes,
  type Snapshot,
  typeUrls,
  versionOfAll,
} from '../translate/snapshot.ts';
import type { Outgoing } from './stream.ts';
import type { Request } from './subscription.ts';

export const typeOf = (typeUrl: string): ResourceType | undefined =>
  resourceTypes.find((type) => typeUrls[type] === typeUrl);

export function fromDelta(request: DeltaDiscoveryRequest): Request {
  return {
    subscribe: request.resourceNamesSubscribe,
    unsubscribe: request.resourceNamesUnsubscribe,
    initialVersions: request.initialResourceVersions,
    nonce: request.responseNonce,
    refusal: request.errorDetail?.message,
  };
}

export function toDelta({ type, nonce, changed, removed }: Outgoing): DeltaDiscoveryResponse {
  return DeltaDiscoveryResponse.fromPartial({
    typeUrl: typeUrls[type],
    nonce,
    removedResources: [...removed],
    resources: changed.map(({ name, version, bytes }) => ({
      name,
      version,
      resource: { typeUrl: typeUrls[type], value: bytes },
    })),
  });
}

/** The names that one Envoy holds of each type: a state-of-the-world request tells all of them each time. */
export function createNameLists() {
  const lists = new Map<ResourceType, readonly string[]>();
  const nonces = new Map<ResourceType, string>();

  return {
    sent(type: ResourceType, nonce: string): void {
      nonces.set(type, nonce);
    },
    /** Nothing for a request that answers an older response: Envoy speaks again on the newest one. */
    fromStateOfTheWorld(type: ResourceType, request: DiscoveryRequest): Request | undefined {
      if (request.responseNonce !== '' && request.responseNonce !== nonces.get(type))
        return undefined;
      const before = lists.get(type) ?? [];
      const names = request.resourceNames;
      lists.set(type, names);
      return {
        subscribe: names.filter((name) => !before.includes(name)),
        unsubscribe: before.filter((name) => !names.includes(name)),
        initialVersions: {},
        nonce: request.responseNonce,
        refusal: request.errorDetail?.message,
      };
    },
  };
}

/** Clusters and listeners are always told in full, since what is absent counts as removed. */
export function toStateOfTheWorld(response: Outgoing, snapshot: Snapshot): DiscoveryResponse {
  const { type, nonce, changed } = response;
  const all = snapshot.resources[type];
  const told = type === 'cluster' || type === 'listener' ? [...all.values()] : changed;
  return DiscoveryResponse.fromPartial({
    typeUrl: typeUrls[type],
    nonce,
    versionInfo: versionOfAll(all),
    resources: told.map(({ bytes }) => ({ typeUrl: typeUrls[type], value: bytes })),
  });
}
