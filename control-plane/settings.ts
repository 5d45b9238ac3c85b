/** What of the configuration Envoy's own configuration depends on. */
import type { Config } from './config.ts';
import type { RequestPhases } from './request-hooks.ts';
import type { GatewaySettings } from './translate/settings.ts';

export function settingsFrom(
  config: Readonly<Config>,
  requestHooks: RequestPhases,
): GatewaySettings {
  return {
    listen: config.ATOMA_LISTEN,
    extAuthz: config.ATOMA_EXT_AUTHZ_ADDRESSES,
    extProc: config.ATOMA_EXT_PROC_ADDRESSES,
    api: config.ATOMA_API_ADDRESSES,
    bodyBytesMax: config.ATOMA_BODY_MAX_BYTES,
    firstByteTimeoutMs: config.ATOMA_FIRST_BYTE_TIMEOUT_MS,
    jsonTimeoutMs: config.ATOMA_JSON_TIMEOUT_MS,
    requestHooks,
    trustedRootsFile: config.ATOMA_TRUSTED_ROOTS_FILE,
  };
}
