/** Settings of the control plane, read from the environment. */
import { z } from 'zod';
import {
  hostPortSetting,
  hostPortsSetting,
  integerSetting,
  logLevelSetting,
  redisUrlSetting,
} from '../runtime/config.ts';
import { keyPassphraseSettings } from '../runtime/key-passphrase.ts';
import { pluginsSetting } from '../runtime/plugin.ts';
import { chainSettingShape, requireChainSettings } from './chain-settings.ts';

const mebibyte = 2 ** 20;

export const configSchema = z
  .object({
    REDIS_URL: redisUrlSetting,
    ATOMA_LOG_LEVEL: logLevelSetting,
    /** The configuration of Envoys: whoever reaches it reads it, so keep it private. */
    ATOMA_CONTROL_PLANE_LISTEN: hostPortSetting('127.0.0.1:9300'),
    /** It believes the headers in which ext-authz names the caller, so only Envoy may reach it. */
    ATOMA_API_LISTEN: hostPortSetting('127.0.0.1:9301'),
    ATOMA_CONTROL_PLANE_METRICS_LISTEN: hostPortSetting('127.0.0.1:9310'),
    /** Where Envoy accepts clients. */
    ATOMA_LISTEN: hostPortSetting('127.0.0.1:8080'),
    ATOMA_EXT_AUTHZ_ADDRESSES: hostPortsSetting('127.0.0.1:9100'),
    ATOMA_EXT_PROC_ADDRESSES: hostPortsSetting('127.0.0.1:9200'),
    ATOMA_API_ADDRESSES: hostPortsSetting('127.0.0.1:9301'),
    ATOMA_NODES_FILE: z.string().optional(),
    ATOMA_DEVNET_URL: z.url({ protocol: /^https?$/ }).optional(),
    ATOMA_BODY_MAX_BYTES: integerSetting({
      fallback: 20 * mebibyte,
      min: 1024,
      max: 256 * mebibyte,
    }),
    ATOMA_FIRST_BYTE_TIMEOUT_MS: integerSetting({ fallback: 120_000, min: 100, max: 3_600_000 }),
    ATOMA_JSON_TIMEOUT_MS: integerSetting({ fallback: 300_000, min: 100, max: 3_600_000 }),
    /** Certificate authorities that vouch for nodes reached over TLS, as a path on Envoy's machine. */
    ATOMA_TRUSTED_ROOTS_FILE: z.string().default('/etc/ssl/certs/ca-certificates.crt'),
    /** The key that signs receipts; without it there are none. ext-authz needs the setting too. */
    ATOMA_RECEIPT_KEY_FILE: z.string().optional(),
    /** How long receipts wait before they are sealed under a root. */
    ATOMA_RECEIPT_INTERVAL_MS: integerSetting({ fallback: 60_000, min: 100, max: 86_400_000 }),
    /** How many sealed receipts of each account are kept, the newest ones; about 2 KB each. */
    ATOMA_RECEIPTS_KEPT: integerSetting({ fallback: 10_000, min: 100, max: 1_000_000 }),
    ...chainSettingShape,
    ...keyPassphraseSettings,
    ATOMA_DISCOVERY_PLUGINS: pluginsSetting,
    /** Verifiers of nodes' evidence, after the built-in ones. */
    ATOMA_ATTESTATION_PLUGINS: pluginsSetting,
    /** The plugins of ext-proc: where there are any, Envoy shows them each request. */
    ATOMA_EXT_PROC_PLUGINS: pluginsSetting,
  })
  .superRefine(requireChainSettings);

export type Config = z.infer<typeof configSchema>;
