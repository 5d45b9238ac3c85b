/** What Envoy's configuration depends on besides the fleet: addresses, limits, and what the plugins need to see. */
import type { HostPort } from '../../runtime/config.ts';

export type GatewaySettings = {
  /** Where Envoy accepts clients. */
  readonly listen: HostPort;
  /** The replicas of each service. */
  readonly extAuthz: readonly HostPort[];
  readonly extProc: readonly HostPort[];
  readonly api: readonly HostPort[];
  /** The largest request body that is accepted. */
  readonly bodyBytesMax: number;
  /** The longest silence of a node in a stream, before its first byte and between two. */
  readonly firstByteTimeoutMs: number;
  /** The longest silence of a node that answers in one piece. */
  readonly jsonTimeoutMs: number;
  /** What plugins of ext-proc want of each request; bodies that must be edited always pass through it. */
  readonly requestHooks: 'headers' | 'body';
  /** Certificate authorities (PEM) that vouch for nodes reached over TLS, as a path on Envoy's machine. */
  readonly trustedRootsFile: string;
};

/** Above this a body is read only once its key is known to be good. */
export const uncheckedBodyBytesMax = 65_536;

/** The longest that Envoy waits for the first byte of an answer, all attempts together. */
export const answerWaitMsMax = (settings: GatewaySettings) =>
  Math.max(settings.firstByteTimeoutMs, settings.jsonTimeoutMs) + 60_000;
