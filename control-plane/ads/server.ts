/** Serves snapshots to Envoys over the Aggregated Discovery Service, in its delta and its state-of-the-world form. */
import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import {
  type AggregatedDiscoveryServiceServer,
  AggregatedDiscoveryServiceService,
} from '../../proto/gen/envoy/service/discovery/v3/ads.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DiscoveryRequest,
  DiscoveryResponse,
} from '../../proto/gen/envoy/service/discovery/v3/discovery.ts';
import type { Snapshot } from '../translate/snapshot.ts';
import type { ConfigStream } from './stream.ts';
import { type AdsOptions, AdsStreams } from './streams.ts';
import { createNameLists, fromDelta, toDelta, toStateOfTheWorld, typeOf } from './wire.ts';

export type Ads = {
  register(server: Server): void;
  /** Hands a snapshot to every Envoy, connected now or later. One that refuses a part keeps the part it had. */
  publish(snapshot: Snapshot): void;
  /** Resolves with true once every connected Envoy has accepted all that was published; with false after the time. */
  waitForAck(timeoutMs: number): Promise<boolean>;
  /** Ends all streams; Envoys keep their configuration. */
  close(): void;
};

export function createAds(options: AdsOptions): Ads {
  const streams = new AdsStreams(options);
  const service: AggregatedDiscoveryServiceServer = {
    deltaAggregatedResources: (call) => serveDelta(call, streams),
    streamAggregatedResources: (call) => serveStateOfTheWorld(call, streams),
  };
  return {
    register: (server) => void server.addService(AggregatedDiscoveryServiceService, service),
    publish: (snapshot) => streams.publish(snapshot),
    waitForAck: (timeoutMs) => streams.waitForAck(timeoutMs),
    close: () => streams.close(),
  };
}

function serveDelta(
  call: ServerDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>,
  streams: AdsStreams,
): void {
  let nodeId = '';
  const stream = streams.open({
    send: (response) => void call.write(toDelta(response)),
    nodeId: () => nodeId,
    end: () => call.end(),
  });
  call.on('data', (request: DeltaDiscoveryRequest) => {
    nodeId ||= request.node?.id ?? '';
    const type = typeOf(request.typeUrl);
    if (type) stream.hear(type, fromDelta(request));
  });
  forgetAtEnd(call, streams, stream);
}

function serveStateOfTheWorld(
  call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>,
  streams: AdsStreams,
): void {
  const names = createNameLists();
  let nodeId = '';
  const stream = streams.open({
    send(response, snapshot) {
      names.sent(response.type, response.nonce);
      call.write(toStateOfTheWorld(response, snapshot));
    },
    nodeId: () => nodeId,
    end: () => call.end(),
  });
  call.on('data', (request: DiscoveryRequest) => {
    nodeId ||= request.node?.id ?? '';
    const type = typeOf(request.typeUrl);
    const heard = type && names.fromStateOfTheWorld(type, request);
    if (type && heard) stream.hear(type, heard);
  });
  forgetAtEnd(call, streams, stream);
}

function forgetAtEnd(
  call: ServerDuplexStream<unknown, unknown>,
  streams: AdsStreams,
  stream: ConfigStream,
): void {
  const forget = () => streams.forget(stream);
  call.on('end', () => {
    forget();
    call.end();
  });
  call.on('cancelled', forget);
  call.on('error', forget);
}
