/** The HTTP side that all stand-ins share: it records, applies faults, and leaves the answer to the protocol. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Endpoint, endpoints } from '../domain/model.ts';
import { type Answer, bodyAnswer } from './answer.ts';
import { deliver } from './delivery.ts';
import {
  createFaultSwitch,
  defaultPace,
  type Fault,
  type FaultInput,
  type Pace,
  type PaceChange,
  paceSchema,
} from './faults.ts';
import { listenOn } from './listening.ts';
import { createRecords, type ReceivedRequest, type UsageTotals } from './records.ts';

const bodyBytesMax = 64 * 1024 * 1024;
const endpointPaths = {
  chat: '/v1/chat/completions',
  completions: '/v1/completions',
  embeddings: '/v1/embeddings',
  images: '/v1/images/generations',
} as const satisfies Record<Endpoint, string>;

/** The paths of sealed requests have one more part behind the version (Atoma node protocol, section 1). */
const sealedPathPattern = /^\/v1\/confidential(?=\/)/;

export type NodeRequest = {
  readonly endpoint: Endpoint;
  /** Came by the path for sealed requests. */
  readonly isSealed: boolean;
  readonly requestId: string;
  readonly header: (name: string) => string | undefined;
  readonly body: string;
  readonly bytes: Uint8Array;
  readonly fault: Fault | undefined;
  readonly pace: Pace;
};

/** What one protocol adds. */
export type NodeProtocol = {
  readonly opensSealed: boolean;
  readonly answer: (request: NodeRequest) => Answer;
  /** Every other path; nothing where there is no such page. */
  readonly page: (options: {
    method: string;
    path: string;
    requestId: string;
  }) => Answer | undefined;
  readonly errorBody: (status: number) => string;
  readonly openChanged: (open: number) => void;
};

/** A running node, for tests and for the operator of the local network. */
export type NodeHandle = {
  readonly id: string;
  readonly url: string;
  readonly received: readonly ReceivedRequest[];
  readonly openRequests: number;
  readonly reportedUsage: UsageTotals;
  /** Until cleared, or for so many requests to come. */
  setFault(fault: FaultInput, options?: { readonly requests: number }): void;
  clearFault(): void;
  setPace(pace: PaceChange): void;
  close(): Promise<void>;
};

export type NodeServerOptions = {
  readonly id: string;
  readonly host?: string;
  readonly port?: number;
  readonly pace?: PaceChange;
  readonly nowMs?: () => number;
};

/** Listens on loopback, on a free port unless told otherwise. */
export async function startNodeServer(
  options: NodeServerOptions,
  protocol: NodeProtocol,
): Promise<NodeHandle> {
  const { id, host = '127.0.0.1', port = 0, nowMs = Date.now } = options;
  const records = createRecords(nowMs);
  const faults = createFaultSwitch();
  let pace = paceSchema.parse({ ...defaultPace, ...options.pace });

  const server = createServer((request, response) => {
    const signal = closeSignalOf(response);
    const route = routeOf(request, protocol);
    if (!route) {
      const answer = pageOf(request, protocol);
      request.resume();
      void deliver(answer, { response, fault: undefined, pace, signal, sent: () => undefined });
      return;
    }
    const fault = faults.take();
    const record = records.begin({ path: request.url ?? '', headers: request.headers, fault });
    protocol.openChanged(records.openRequests());
    response.on('close', () => {
      records.end(record);
      protocol.openChanged(records.openRequests());
    });
    void serve({ route, request, response, signal, fault, record });
  });

  async function serve(exchange: {
    route: Route;
    request: IncomingMessage;
    response: ServerResponse;
    signal: AbortSignal;
    fault: Fault | undefined;
    record: ReceivedRequest;
  }): Promise<void> {
    const { route, request, response, signal, fault, record } = exchange;
    if (fault?.kind === 'refuse') {
      request.socket.resetAndDestroy();
      return;
    }
    const bytes = await readBody(request);
    if (!bytes) return;
    const body = records.setBody(record, bytes);
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
      response.end(fault.body === '' ? protocol.errorBody(fault.status) : fault.body);
      return;
    }
    const { requestId } = record;
    const header = (name: string) => request.headers[name]?.toString();
    const answer = protocol.answer({ ...route, requestId, header, body, bytes, fault, pace });
    const outcome = await deliver(answer, {
      response,
      fault,
      pace,
      signal,
      sent({ tokens, usage }) {
        record.tokensSent += tokens;
        if (usage) records.report(record, usage);
      },
    });
    record.completed = outcome === 'complete';
    answer.ended(outcome);
  }

  server.requestTimeout = 0;
  const listening = await listenOn(server, { host, port });
  return {
    id,
    url: listening.url,
    close: listening.close,
    get received() {
      return records.received();
    },
    get openRequests() {
      return records.openRequests();
    },
    get reportedUsage() {
      return records.totals();
    },
    setFault: (fault, limit) => faults.set(fault, limit?.requests),
    clearFault: faults.clear,
    setPace(change) {
      pace = paceSchema.parse({ ...pace, ...change });
    },
  };
}

type Route = Pick<NodeRequest, 'endpoint' | 'isSealed'>;

function routeOf(request: IncomingMessage, { opensSealed }: NodeProtocol): Route | undefined {
  if (request.method !== 'POST') return undefined;
  const [path = ''] = (request.url ?? '').split('?');
  const plainPath = opensSealed ? path.replace(sealedPathPattern, '/v1') : path;
  const endpoint = endpoints.find((candidate) => endpointPaths[candidate] === plainPath);
  return endpoint && { endpoint, isSealed: plainPath !== path };
}

function pageOf({ method = '', url = '', headers }: IncomingMessage, protocol: NodeProtocol) {
  const [path = ''] = url.split('?');
  const requestId = headers['x-request-id']?.toString() ?? '';
  const page = protocol.page({ method, path, requestId });
  return page ?? bodyAnswer({ status: 404, body: protocol.errorBody(404) });
}

function closeSignalOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.on('close', () => controller.abort());
  return controller.signal;
}

/** The whole body; nothing where it is too long or its sender is gone. */
function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > bodyBytesMax) request.destroy();
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', () => resolve(undefined));
    request.on('close', () => resolve(undefined));
  });
}
