/** Small builders for what Envoy's messages repeat: durations, addresses, packed extensions, common headers. */

import { Address } from '../../proto/gen/envoy/config/core/v3/address.ts';
import {
  HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from '../../proto/gen/envoy/config/core/v3/base.ts';
import { ApiVersion, ConfigSource } from '../../proto/gen/envoy/config/core/v3/config_source.ts';
import type { Any } from '../../proto/gen/google/protobuf/any.ts';
import type { Duration } from '../../proto/gen/google/protobuf/duration.ts';
import type { HostPort } from '../../runtime/config.ts';

type Codec<Message> = { encode(message: Message): { finish(): Uint8Array } };

export const bytesOf = <Message>(codec: Codec<Message>, message: Message): Buffer =>
  Buffer.from(codec.encode(message).finish());

/** An extension's configuration under the full name of its message. */
export function pack<Message>(name: string, codec: Codec<Message>, message: Message): Any {
  return { typeUrl: `type.googleapis.com/${name}`, value: bytesOf(codec, message) };
}

/** The `typed_config` of an extension point. */
export const typedConfig = (value: Any) => ({ $case: 'typedConfig', value }) as const;

export function duration(ms: number): Duration {
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
}

export function addressOf({ host, port }: HostPort): Address {
  return Address.fromPartial({
    address: {
      $case: 'socketAddress',
      value: { address: host, portSpecifier: { $case: 'portValue', value: port } },
    },
  });
}

/** "Ask the control plane, over the one stream that is open." */
export const fromControlPlane: ConfigSource = ConfigSource.fromPartial({
  configSourceSpecifier: { $case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
});

export const grpcService = (clusterName: string) =>
  ({ targetSpecifier: { $case: 'envoyGrpc', value: { clusterName } } }) as const;

/** Headers that replace whatever was there. */
export function headersToSet(values: Readonly<Record<string, string>>): HeaderValueOption[] {
  return Object.entries(values).map(([key, value]) =>
    HeaderValueOption.fromPartial({
      header: { key, value },
      appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    }),
  );
}
