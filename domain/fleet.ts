/** The machines that serve models, as discovery found them and as `translate` turns them into Envoy's configuration. */
import type { Endpoint, Protocol } from './model.ts';
import type { PicoUsd } from './money.ts';

/** Prepaid compute units on one node for one model, bought by the gateway's stack-owner key. */
export type Stack = {
  readonly id: string;
  readonly units: number;
};

export type NodeModel = {
  readonly model: string;
  /** The stacks that can pay for this model here; always empty on a node that speaks plain OpenAI. */
  readonly stacks: readonly Stack[];
};

export type FleetNode = {
  readonly id: string;
  /** The name or address that the operator or owner gave; also the Host header and the TLS server name. */
  readonly host: string;
  /** What the host resolved to. */
  readonly ip: string;
  readonly port: number;
  readonly tls: boolean;
  readonly protocol: Protocol;
  /** Share of the traffic relative to the model's other nodes, 1 to 100. */
  readonly weight: number;
  /** Sui address whose key signs this node's answers; empty where answers are unsigned. */
  readonly signerAddress: string;
  /** The X25519 key in base64 to which requests for this node are sealed; empty where none is known to be in use. */
  readonly sealingKey: string;
  readonly models: readonly NodeModel[];
};

/** Prices as discovery proposes them; an operator's own price goes before. */
export type OfferedPrice = {
  readonly inputToken: PicoUsd;
  readonly cachedInputToken: PicoUsd;
  readonly outputToken: PicoUsd;
  readonly image: PicoUsd;
  readonly imagePixel: PicoUsd;
};

export type ModelOffer = {
  readonly id: string;
  readonly createdSeconds: number;
  readonly ownedBy: string;
  readonly endpoints: readonly Endpoint[];
  readonly contextTokensMax: number;
  readonly outputTokensMax: number;
  readonly mediaTokensMax: number;
  readonly price: OfferedPrice | undefined;
};

export type Fleet = {
  readonly models: readonly ModelOffer[];
  readonly nodes: readonly FleetNode[];
};

export const emptyFleet: Fleet = { models: [], nodes: [] };
