/** A control plane that serves nothing but ADS, and a client that speaks it by hand. */
import { type ClientDuplexStream, credentials, type Server } from '@grpc/grpc-js';
import { AggregatedDiscoveryServiceClient } from '../../../proto/gen/envoy/service/discovery/v3/ads.ts';
import {
  type DeepPartial,
  DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DiscoveryRequest,
  type DiscoveryResponse,
} from '../../../proto/gen/envoy/service/discovery/v3/discovery.ts';
import { startGrpcServer } from '../../../runtime/grpc-server.ts';
import { createFleetMetrics, createRegistry } from '../../../runtime/metrics.ts';
import { silentLog } from '../../../runtime/silent-log.ts';
import { createAds } from '../server.ts';

/** Listens on loopback; port 0 takes any free one. */
export async function startAdsServer(port = 0) {
  const metrics = createFleetMetrics(createRegistry('control-plane'));
  const ads = createAds({ log: silentLog, metrics });
  const server = await startGrpcServer({
    listen: { host: '127.0.0.1', port },
    messageBytesMax: 64 * 1024 * 1024,
    drainMs: 100,
    register: (grpc: Server) => ads.register(grpc),
  });
  return {
    ads,
    port: server.port,
    async refusals(): Promise<number> {
      const { values } = await metrics.nacks.get();
      return values.reduce((sum, { value }) => sum + value, 0);
    },
    async close(): Promise<void> {
      ads.close();
      await server.close();
    },
  };
}

/** Sends requests, and hands out responses in the order in which they come. */
class Conversation<Sent, Received> {
  readonly #call: ClientDuplexStream<Sent, Received>;
  readonly #responses: Received[] = [];
  readonly #readers: ((response: Received) => void)[] = [];

  constructor(call: ClientDuplexStream<Sent, Received>) {
    this.#call = call;
    call.on('error', () => undefined);
    call.on('data', (response: Received) => {
      const reader = this.#readers.shift();
      if (reader) reader(response);
      else this.#responses.push(response);
    });
  }

  say(request: Sent): void {
    this.#call.write(request);
  }

  next(): Promise<Received> {
    const response = this.#responses.shift();
    if (response !== undefined) return Promise.resolve(response);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** What has come and was not yet asked for. */
  get unread(): number {
    return this.#responses.length;
  }
}

export function connectTo(port: number) {
  const client = new AggregatedDiscoveryServiceClient(
    `127.0.0.1:${port}`,
    credentials.createInsecure(),
  );
  return {
    delta: () =>
      new Conversation<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
        client.deltaAggregatedResources(),
      ),
    stateOfTheWorld: () =>
      new Conversation<DiscoveryRequest, DiscoveryResponse>(client.streamAggregatedResources()),
    close: () => client.close(),
  };
}

export const deltaRequest = (fields: DeepPartial<DeltaDiscoveryRequest>) =>
  DeltaDiscoveryRequest.fromPartial(fields);

export const request = (fields: DeepPartial<DiscoveryRequest>) =>
  DiscoveryRequest.fromPartial(fields);
