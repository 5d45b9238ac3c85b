/** Settings of the local network. */
import { z } from 'zod';
import { hostPortSetting, logLevelSetting } from '../runtime/config.ts';

export const devnetConfig = z.object({
  ATOMA_DEVNET_LISTEN: hostPortSetting('127.0.0.1:9400'),
  /** Where the stand-in full node speaks gRPC; port 0 takes a free one. */
  ATOMA_DEVNET_SUI_LISTEN: hostPortSetting('127.0.0.1:0'),
  /** The gateway that Atoma nodes tell their addresses. */
  ATOMA_DEVNET_GATEWAY_URL: z.url({ protocol: /^https?$/ }).optional(),
  ATOMA_LOG_LEVEL: logLevelSetting,
});
