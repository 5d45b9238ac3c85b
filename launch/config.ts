/** Settings of `npm start`. What the services themselves read is passed on to them. */
import { z } from 'zod';
import { hostPortSetting, integerSetting } from '../runtime/config.ts';

const replicasMax = 16;

export const launchConfig = z.object({
  ATOMA_LISTEN: hostPortSetting('127.0.0.1:8080'),
  ATOMA_ENVOY_ADMIN: hostPortSetting('127.0.0.1:9901'),
  ATOMA_DATA_DIR: z.string().default('data'),
  /** Uses this Redis instead of a private one in the data folder. */
  REDIS_URL: z.string().optional(),
  /** A file of nodes takes the place of the local network of simulated ones. */
  ATOMA_NODES_FILE: z.string().optional(),
  /** So does a chain to find nodes on. */
  ATOMA_SUI_FULL_NODE: z.string().optional(),
  /** An own network to discover nodes from. */
  ATOMA_DEVNET_URL: z.string().optional(),
  /** Where the local network lists its nodes; a free port if unset. */
  ATOMA_DEVNET_LISTEN: z.string().optional(),
  ATOMA_EXT_AUTHZ_REPLICAS: integerSetting({ fallback: 1, min: 1, max: replicasMax }),
  ATOMA_EXT_PROC_REPLICAS: integerSetting({ fallback: 1, min: 1, max: replicasMax }),
  /** Worker threads of Envoy. */
  ATOMA_ENVOY_CONCURRENCY: integerSetting({ fallback: 2, min: 1, max: 256 }),
  ATOMA_RESTART_DELAY_MS: integerSetting({ fallback: 500, min: 0, max: 60_000 }),
});

export type LaunchConfig = z.infer<typeof launchConfig>;
