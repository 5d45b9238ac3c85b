/** Settings of ext-proc, read from the environment. */
import { z } from 'zod';
import {
  hostPortSetting,
  integerSetting,
  logLevelSetting,
  redisUrlSetting,
} from '../runtime/config.ts';
import { pluginsSetting } from '../runtime/plugin.ts';

export const configSchema = z.object({
  REDIS_URL: redisUrlSetting,
  ATOMA_LOG_LEVEL: logLevelSetting,
  ATOMA_EXT_PROC_LISTEN: hostPortSetting('127.0.0.1:9200'),
  ATOMA_EXT_PROC_METRICS_LISTEN: hostPortSetting('127.0.0.1:9210'),
  /** How long a reservation outlives the process that follows its exchange. */
  ATOMA_LEASE_MS: integerSetting({ fallback: 60_000, min: 1000, max: 3_600_000 }),
  /** Which events of a signed stream are checked: those that end a choice or tell the usage, or all. */
  ATOMA_SIGNATURE_COVERAGE: z.enum(['ends', 'all']).default('ends'),
  ATOMA_EXT_PROC_PLUGINS: pluginsSetting,
});
