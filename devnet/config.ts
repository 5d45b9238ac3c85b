/** Settings of the local network. */
import { z } from 'zod';
import { hostPortSetting, integerSetting, logLevelSetting } from '../runtime/config.ts';

export const devnetConfig = z.object({
  ATOMA_DEVNET_LISTEN: hostPortSetting('127.0.0.1:9400'),
  /** Compute units of each stack that the network sells. */
  ATOMA_DEVNET_STACK_UNITS: integerSetting({
    fallback: 100_000_000,
    min: 1000,
    max: Number.MAX_SAFE_INTEGER,
  }),
  ATOMA_STACK_OWNER_ADDRESS: z.string().regex(/^0x[0-9a-f]{64}$/, 'expected a Sui address'),
  ATOMA_LOG_LEVEL: logLevelSetting,
});
