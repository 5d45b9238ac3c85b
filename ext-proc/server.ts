/** The gRPC services of ext-proc: one stream an exchange, and Envoy's access log. */
import { type Server, type ServerDuplexStream, type sendUnaryData, status } from '@grpc/grpc-js';
import { exchangeFromJson } from '../domain/exchange-json.ts';
import { clusterMetadata, endpointMetadata, headers } from '../domain/names.ts';
import {
  AccessLogType,
  type HTTPAccessLogEntry,
} from '../proto/gen/envoy/data/accesslog/v3/accesslog.ts';
import {
  AccessLogServiceService,
  type StreamAccessLogsMessage,
  type StreamAccessLogsResponse,
} from '../proto/gen/envoy/service/accesslog/v3/als.ts';
import {
  ExternalProcessorService,
  type ProcessingRequest,
  type ProcessingResponse,
} from '../proto/gen/envoy/service/ext_proc/v3/external_processor.ts';
import { createExchangeRun, type ExchangeRun } from './exchange-run.ts';
import type { RunTools } from './exchange-state.ts';
import type { LogEntry, Reconciler } from './reconciler.ts';
import type { Refusal } from './refusals.ts';
import { answerWith, proceed, type Reply } from './reply.ts';
import { exchangeTextOf, headersOf, headOf, sourceOf, toResponse } from './wire.ts';

type ProcessCall = ServerDuplexStream<ProcessingRequest, ProcessingResponse>;

/** Adds both services to a gRPC server. */
export function addServices(server: Server, tools: RunTools & { reconciler: Reconciler }): void {
  server.addService(ExternalProcessorService, {
    process: (call: ProcessCall) => processExchange(call, tools),
  });
  server.addService(AccessLogServiceService, {
    streamAccessLogs: (call: AccessLogCall, callback: sendUnaryData<StreamAccessLogsResponse>) =>
      receiveLog(call, callback, tools),
  });
}

function processExchange(call: ProcessCall, tools: RunTools): void {
  let run: ExchangeRun | undefined;
  let isFirst = true;

  function answer(message: ProcessingRequest): Reply {
    if (isFirst) {
      isFirst = false;
      const text = exchangeTextOf(message.metadataContext);
      // Without an exchange it is a denial or another answer that never was admitted.
      if (text === undefined) return proceed;
      const exchange = exchangeFromJson(text);
      if (!exchange) return answerWith({ kind: 'internal' });
      run = createExchangeRun(exchange, tools);
    }
    return run ? dispatch(run, message) : proceed;
  }

  call.on('data', (message: ProcessingRequest) => {
    if (!message.request) return;
    try {
      call.write(toResponse(message.request.$case, answer(message)));
    } catch (cause) {
      tools.log.error({ err: cause }, 'an exchange failed in ext-proc');
      run?.failed();
      call.emit('error', { code: status.INTERNAL, details: 'internal error' });
    }
  });
  // Which of these comes first differs by how the exchange ends; the run ends at the first.
  const close = () => run?.closed();
  call.on('end', () => {
    close();
    call.end();
  });
  call.on('cancelled', close);
  call.on('error', close);
}

function dispatch(run: ExchangeRun, message: ProcessingRequest): Reply {
  const { request } = message;
  switch (request?.$case) {
    case 'requestHeaders':
      return run.requestHeaders(headersOf(request.value.headers));
    case 'requestBody':
      return run.requestBody(request.value.body);
    case 'responseHeaders':
      return run.responseHeaders(headOf(request.value.headers), {
        source: sourceOf(message),
        isLast: request.value.endOfStream,
      });
    case 'responseBody':
      return run.responseBody(request.value.body, request.value.endOfStream);
    case 'requestTrailers':
    case 'responseTrailers':
    case undefined:
      return proceed;
  }
}

type AccessLogCall = {
  on(event: 'data', listener: (message: StreamAccessLogsMessage) => void): unknown;
  on(event: 'end' | 'error', listener: () => void): unknown;
};

function receiveLog(
  call: AccessLogCall,
  callback: sendUnaryData<StreamAccessLogsResponse>,
  tools: RunTools & { reconciler: Reconciler },
): void {
  call.on('data', ({ logEntries }) => {
    if (logEntries?.$case !== 'httpLogs') return;
    for (const entry of logEntries.value.logEntry) receiveEntry(entry, tools);
  });
  call.on('end', () => callback(null, {}));
  call.on('error', () => tools.log.debug('an access log stream broke'));
}

function receiveEntry(
  entry: HTTPAccessLogEntry,
  { reconciler, refusals }: RunTools & { reconciler: Reconciler },
): void {
  if (entry.commonProperties?.accessLogType === AccessLogType.UpstreamEnd) {
    const refusal = toRefusal(entry);
    // The account API refuses callers, not us, and is no node; what a pinned node refuses is seen with its exchange.
    if (refusal.node !== '' && refusal.model !== '') refusals.receive(refusal);
    return;
  }
  const read = toLogEntry(entry);
  if (read) reconciler.receive(read);
}

function toLogEntry(entry: HTTPAccessLogEntry): LogEntry | undefined {
  const text = exchangeTextOf(entry.commonProperties?.metadata);
  const exchange = text === undefined ? undefined : exchangeFromJson(text);
  if (!exchange) return undefined;
  const flags = entry.commonProperties?.responseFlags;
  return {
    exchange,
    status: entry.response?.responseCode ?? 0,
    details: entry.response?.responseCodeDetails ?? '',
    isCallerGone: (flags?.downstreamConnectionTermination || flags?.downstreamRemoteReset) === true,
  };
}

/** An attempt at a node; its cluster and endpoint say by their metadata which that was. */
function toRefusal({ commonProperties, request, response }: HTTPAccessLogEntry): Refusal {
  const tags = new Map(Object.entries(commonProperties?.customTags ?? {}));
  return {
    requestId: request?.requestHeaders[headers.requestId] ?? '',
    model: tags.get(clusterMetadata.model) ?? '',
    node: tags.get(endpointMetadata.node) ?? '',
    stackId: tags.get(endpointMetadata.stack) ?? '',
    status: response?.responseCode ?? 0,
  };
}
