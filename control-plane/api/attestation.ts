/**
 * What can be said of nodes' keys and devices. The gateway is no enclave: it passes on what the chain holds, says who found
 * what, and repeats a caller's nonce without any proof in it.
 */
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { etag } from 'hono/etag';
import { nodeNameOf } from '../../domain/chain-ids.ts';
import type { Failure } from '../../domain/failure.ts';
import type { Fleet } from '../../domain/fleet.ts';
import { invalid } from '../../domain/request-fields.ts';
import type { Attestor, NodeAttestation } from '../attestation/attestor.ts';
import {
  parseNodeId,
  parseReportQuery,
  type ReportQuery,
  toNodeObject,
  toReportObject,
} from './attestation-objects.ts';
import { toResponse } from './response.ts';

export type AttestationPorts = {
  readonly attestor: Attestor;
  /** The nodes that get requests now. */
  readonly fleet: () => Fleet;
};

type Ports = AttestationPorts & {
  /** Why the caller may not know the model; nothing where it may. */
  readonly refuseModel: (context: Context, model: string) => Promise<Failure | undefined>;
};

const reportPath = '/v1/attestation/report';
const nodePath = '/v1/nodes/:id/attestation';
/** All of their evidence is read: 15 KB a node where it is honest, up to what an event of the chain holds. */
const nodesMax = 16;
/** Requests at a time, for all callers together: each may read a few megabytes. */
const openMax = 8;
/** Envoy waits for 15 s. */
const examinationMsMax = 5000;

export function addAttestationEndpoints(api: Hono, ports: Ports): void {
  let open = 0;
  const bound: MiddlewareHandler = async (context, next) => {
    if (open >= openMax) return toResponse({ kind: 'gateway-unavailable', retryAfterMs: 1000 });
    open += 1;
    try {
      await next();
    } finally {
      open -= 1;
    }
    context.header('cache-control', 'private, no-cache');
    return undefined;
  };
  for (const path of [reportPath, nodePath]) api.use(path, bound, etag());
  api.get(reportPath, (context) => showReport(context, ports));
  api.get(nodePath, (context) => showNode(context, ports));
  for (const path of [reportPath, nodePath]) {
    api.all(path, () => toResponse({ kind: 'method-not-allowed', allow: 'GET' }));
  }
}

async function showNode(context: Context, { attestor }: Ports): Promise<Response> {
  const nodeId = parseNodeId(context.req.param('id') ?? '');
  if (nodeId === undefined) return toResponse({ kind: 'not-found' });
  const wanted = context.req.query('evidence') ?? 'false';
  if (wanted !== 'true' && wanted !== 'false') {
    return toResponse(invalid('evidence', '"evidence" must be true or false.'));
  }
  const attestation = await attestor.attest(nodeId, AbortSignal.timeout(examinationMsMax));
  if (!attestation) return toResponse({ kind: 'not-found' });
  return context.json(toNodeObject(attestation, { withEvidence: wanted === 'true' }));
}

async function showReport(context: Context, ports: Ports): Promise<Response> {
  const query = parseReportQuery(context.req.query());
  if (query.kind !== 'query') return toResponse(query);
  const refusal = await ports.refuseModel(context, query.model);
  if (refusal) return toResponse(refusal);
  const { page, next } = pageOf(ports.fleet(), query);
  const signal = AbortSignal.timeout(examinationMsMax);
  const attestations: NodeAttestation[] = [];
  for (const nodeId of page) {
    const attestation = await ports.attestor.attest(nodeId, signal);
    // Without a key nothing can be sealed for a node.
    if (attestation?.key) attestations.push(attestation);
  }
  return context.json(toReportObject({ query, attestations, next }));
}

/** The chain's nodes that serve the model, some at a time. */
function pageOf(fleet: Fleet, { model, after }: ReportQuery) {
  const ids = fleet.nodes
    .filter((node) => node.models.some((served) => served.model === model))
    .flatMap(({ id, protocol }) => {
      const nodeId = protocol === 'atoma' ? parseNodeId(id) : undefined;
      // A file may name a node like one of the chain's; those names are not numbers alone.
      return nodeId !== undefined && nodeNameOf(nodeId) === id && BigInt(nodeId) > after
        ? [nodeId]
        : [];
    })
    .sort((left, right) => Number(BigInt(left) - BigInt(right)));
  const page = ids.slice(0, nodesMax);
  return { page, next: ids.length > nodesMax ? page.at(-1) : undefined };
}
