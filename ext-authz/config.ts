/** Settings of ext-authz, read from the environment. */
import { z } from 'zod';
import {
  hostPortSetting,
  integerSetting,
  logLevelSetting,
  redisUrlSetting,
} from '../runtime/config.ts';
import { keyPassphraseSettings } from '../runtime/key-passphrase.ts';
import { pluginsSetting } from '../runtime/plugin.ts';

const mebibyte = 2 ** 20;

export const configSchema = z.object({
  REDIS_URL: redisUrlSetting,
  ATOMA_LOG_LEVEL: logLevelSetting,
  ATOMA_EXT_AUTHZ_LISTEN: hostPortSetting('127.0.0.1:9100'),
  ATOMA_EXT_AUTHZ_METRICS_LISTEN: hostPortSetting('127.0.0.1:9110'),
  /** The key that signs bodies for Atoma nodes; without it, models that have such nodes cannot be served. */
  ATOMA_STACK_OWNER_KEY_FILE: z.string().optional(),
  /** Where it is set receipts are issued; the file itself is for the control plane, and is not read here. */
  ATOMA_RECEIPT_KEY_FILE: z.string().optional(),
  /** What opens the stack owner's file where it is encrypted. */
  ...keyPassphraseSettings,
  ATOMA_BODY_MAX_BYTES: integerSetting({
    fallback: 20 * mebibyte,
    min: 1024,
    max: 256 * mebibyte,
  }),
  /** How long a reservation stays where ext-proc does not take it over, which it does at once. */
  ATOMA_LEASE_MS: integerSetting({ fallback: 60_000, min: 1000, max: 3_600_000 }),
  ATOMA_EXT_AUTHZ_PLUGINS: pluginsSetting,
});
