/** Admission steps: what a user may add between the pricing of a request and the hold on its money. */
import type { ApiKey } from '../domain/api-key.ts';
import type { Failure } from '../domain/failure.ts';
import type { Endpoint, Model } from '../domain/model.ts';
import type { PicoUsd } from '../domain/money.ts';
import type { Usage } from '../domain/usage.ts';
import type { Logger } from '../runtime/log.ts';
import type { Plugin } from '../runtime/plugin.ts';

/** A request that is valid, allowed and priced; nothing is held for it yet. */
export type Admission = {
  readonly requestId: string;
  readonly key: ApiKey;
  readonly model: Model;
  readonly endpoint: Endpoint;
  readonly stream: boolean;
  /** The body as the caller sent it; never log it. */
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** The most that it can use and cost. */
  readonly bound: Usage;
  readonly costMax: PicoUsd;
};

/** Lets the request pass or refuses it; must end when the signal aborts. What it throws is answered with 503. */
export type AdmissionStep = (
  admission: Admission,
  signal: AbortSignal,
) => Promise<{ readonly kind: 'pass' } | Failure>;

export type AdmissionTools = { readonly log: Logger; readonly nowMs: () => number };

/** A module's export `plugin`; the steps run in the order of the configuration. */
export type AdmissionPlugin<Config> = Plugin<Config, AdmissionTools, AdmissionStep>;
