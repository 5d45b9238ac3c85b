/** Names that Envoy's configuration and the services share: headers, metadata, clusters. */

/** Set by ext-authz, removed before the node; a client's own never survive. */
export const headers = {
  cluster: 'x-atoma-cluster',
  stream: 'x-atoma-stream',
  edit: 'x-atoma-edit',
  /** The request is sealed to one node: no other may get it. */
  pinned: 'x-atoma-pinned',
  account: 'x-atoma-account',
  key: 'x-atoma-key',
  requestId: 'x-request-id',
  /** A client's own `x-signature`, which Envoy moves here: only the gateway signs for nodes. */
  clientSignature: 'x-atoma-client-signature',
} as const;

/** Where callers lock a node for a sealed request. */
export const lockPath = '/v1/nodes/lock';

/** Where nodes tell of themselves, and how much they may say. Numbers in JSON take up to four bytes for one. */
export const nodeEndpoints = {
  registration: { path: '/v1/nodes', method: 'POST', bodyBytesMax: 4096 },
  attestation: {
    path: '/v1/update_node_attestation',
    method: 'PUT',
    bodyBytesMax: 4 * 1024 * 1024,
  },
} as const;

/** gRPC metadata by which the first ext_authz filter says that it has no body yet and asks about the key only. */
export const phaseMetadata = { name: 'x-atoma-phase', keyOnly: 'key' } as const;

/**
 * Dynamic metadata written by ext-authz: the exchange as one JSON string, and for a sealed request the addresses that
 * Envoy may try in turn, `ip:port,ip:port`.
 */
export const exchangeMetadata = {
  namespace: 'envoy.filters.http.ext_authz',
  field: 'exchange',
  hosts: 'hosts',
} as const;

/** Metadata of each endpoint in a load assignment; all values are strings. */
export const endpointMetadata = {
  namespace: 'atoma',
  node: 'node',
  protocol: 'protocol',
  stack: 'stack',
  signer: 'signer',
} as const;

/** Metadata of each model's cluster; its own name is changed for statistics. */
export const clusterMetadata = { namespace: 'atoma', model: 'model' } as const;

/**
 * Statuses by which a node refuses the gateway rather than the caller: its signature, or the stack that it offers (Atoma
 * node protocol, section 6).
 */
export const refusalStatuses = { signature: 401, lockedStack: 423, unavailableStack: 425 } as const;

/** The cluster that holds a model's nodes. */
export const clusterOf = (model: string) => `model:${model}`;

/** Its twin, in which a sealed request finds the one node that it names, or nobody. */
export const pinnedClusterOf = (model: string) => `pinned:${model}`;

export const serviceClusters = {
  extAuthz: 'ext-authz',
  extProc: 'ext-proc',
  accessLog: 'access-log',
  api: 'api',
} as const;

const endpointAttribute = (field: string) =>
  `xds.upstream_host_metadata.filter_metadata['${endpointMetadata.namespace}']['${field}']`;

/** Attributes that Envoy sends to ext-proc with the first message of a response. */
export const responseAttributes = {
  node: endpointAttribute(endpointMetadata.node),
  protocol: endpointAttribute(endpointMetadata.protocol),
  stack: endpointAttribute(endpointMetadata.stack),
  signer: endpointAttribute(endpointMetadata.signer),
  /** `via_upstream` for a node's answer; anything else is an answer of Envoy's own and names its cause. */
  codeDetails: 'response.code_details',
} as const;
