/** Settings of Envoy's bootstrap. */
import { z } from 'zod';
import { hostPortSetting, hostPortsSetting, integerSetting } from '../runtime/config.ts';

const gibibyte = 1024 ** 3;

export const envoyConfig = z.object({
  ATOMA_ENVOY_ID: z.string().default('envoy-1'),
  ATOMA_ENVOY_ADMIN: hostPortSetting('127.0.0.1:9901'),
  ATOMA_CONTROL_PLANE_ADDRESSES: hostPortsSetting('127.0.0.1:9300'),
  ATOMA_ENVOY_HEAP_BYTES_MAX: integerSetting({
    fallback: 2 * gibibyte,
    min: gibibyte / 4,
    max: 64 * gibibyte,
  }),
  ATOMA_ENVOY_CONNECTIONS_MAX: integerSetting({ fallback: 20_000, min: 100, max: 1_000_000 }),
});
