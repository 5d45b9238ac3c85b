/** Plays Envoy in tests: sends the messages of an exchange over gRPC and applies the answers as Envoy does. */
import { type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { exchangeMetadata, headers, responseAttributes } from '../../domain/names.ts';
import {
  AccessLogType,
  HTTPAccessLogEntry,
} from '../../proto/gen/envoy/data/accesslog/v3/accesslog.ts';
import { AccessLogServiceClient } from '../../proto/gen/envoy/service/accesslog/v3/als.ts';
import {
  type BodyMutation,
  ExternalProcessorClient,
  type HeaderMutation,
  ProcessingRequest,
  type ProcessingResponse,
} from '../../proto/gen/envoy/service/ext_proc/v3/external_processor.ts';
import type { Refusal } from '../refusals.ts';

export type NodeMetadata = {
  readonly node: string;
  readonly protocol: string;
  readonly stack?: string;
  readonly signer?: string;
};

export type Opening = {
  readonly exchange: string | undefined;
  readonly node?: NodeMetadata;
  /** What Envoy knows of who answered. */
  readonly details?: string;
};

/** What the caller would get so far. */
type Received = {
  status: number;
  headers: Record<string, string>;
  removed: readonly string[];
  body: string;
  mode: number | undefined;
};

export function createEnvoy(port: number) {
  const client = new ExternalProcessorClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const logs = new AccessLogServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  return {
    open: (opening: Opening) => openExchange(client.process(), opening),
    /** Sends the access log entry of an exchange. */
    log: (entry: { exchange: string; details: string; isCallerGone: boolean }) =>
      sendEntry(logs, toEntry(entry)),
    /** Sends the one of an attempt that a node refused. */
    logRefusal: (refusal: Refusal) => sendEntry(logs, toAttempt(refusal)),
    close(): void {
      client.close();
      logs.close();
    },
  };
}

function sendEntry(logs: AccessLogServiceClient, entry: HTTPAccessLogEntry): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = logs.streamAccessLogs((error) => (error ? reject(error) : resolve()));
    call.write({ logEntries: { $case: 'httpLogs', value: { logEntry: [entry] } } });
    call.end();
  });
}

function openExchange(
  call: ClientDuplexStream<ProcessingRequest, ProcessingResponse>,
  opening: Opening,
) {
  const received: Received = { status: 0, headers: {}, removed: [], body: '', mode: undefined };
  const waiting: ((response: ProcessingResponse) => void)[] = [];
  call.on('data', (response: ProcessingResponse) => waiting.shift()?.(response));
  call.on('error', () => {});

  function send(request: ProcessingRequest['request']): Promise<ProcessingResponse> {
    const { promise, resolve } = Promise.withResolvers<ProcessingResponse>();
    waiting.push(resolve);
    call.write(
      ProcessingRequest.fromPartial({
        request,
        attributes: { 'envoy.filters.http.ext_proc': toAttributes(opening) },
        metadataContext: {
          filterMetadata:
            opening.exchange === undefined
              ? {}
              : { [exchangeMetadata.namespace]: { [exchangeMetadata.field]: opening.exchange } },
        },
      }),
    );
    return promise;
  }

  return {
    received,
    async requestBody(body: string) {
      const response = await send({
        $case: 'requestBody',
        value: { ...bodyOf(Buffer.from(body)), endOfStream: true },
      });
      if (response.response?.$case !== 'requestBody') throw new Error('not an answer to a body');
      const common = response.response.value.response;
      setHeaders(received, common?.headerMutation);
      const mutation = common?.bodyMutation?.mutation;
      return mutation?.$case === 'body' ? mutation.value.toString() : body;
    },
    async headers(status: number, headers: Record<string, string>, isLast = false) {
      received.status = status;
      const pairs = Object.entries({ ':status': String(status), ...headers });
      const map = pairs.map(([key, value]) => ({ key, value: '', rawValue: Buffer.from(value) }));
      const response = await send({
        $case: 'responseHeaders',
        value: { headers: { headers: map }, attributes: {}, endOfStream: isLast },
      });
      apply(received, response, Buffer.alloc(0));
    },
    async body(chunk: Uint8Array | string, isLast: boolean) {
      const bytes = Buffer.from(chunk);
      const value = { ...bodyOf(bytes), endOfStream: isLast };
      apply(received, await send({ $case: 'responseBody', value }), bytes);
    },
    /** Envoy closes its side, which is how it ends with graceful closing. */
    end: () => call.end(),
    /** Envoy resets the stream. */
    reset: () => call.cancel(),
  };
}

/** What Envoy makes of an answer: `sent` passes where it is not replaced. */
function apply(received: Received, answer: ProcessingResponse, sent: Buffer): void {
  const { response, modeOverride } = answer;
  if (modeOverride) received.mode = modeOverride.responseBodyMode;
  if (response?.$case === 'immediateResponse') {
    received.status = response.value.status?.code ?? 0;
    received.headers = {};
    received.body = response.value.body.toString();
    setHeaders(received, response.value.headers);
  } else if (response?.$case === 'responseHeaders' || response?.$case === 'responseBody') {
    const common = response.value.response;
    setHeaders(received, common?.headerMutation);
    received.body += forwarded(common?.bodyMutation, sent);
  }
}

function forwarded(change: BodyMutation | undefined, sent: Buffer): string {
  if (change?.mutation?.$case === 'body') return change.mutation.value.toString();
  return change?.mutation?.$case === 'clearBody' ? '' : sent.toString();
}

function setHeaders(received: Received, mutation: HeaderMutation | undefined): void {
  received.removed = [...received.removed, ...(mutation?.removeHeaders ?? [])];
  for (const { header } of mutation?.setHeaders ?? []) {
    if (header) received.headers[header.key] = header.rawValue.toString();
  }
}

const bodyOf = (body: Buffer) => ({
  body,
  endOfStream: false,
  endOfStreamWithoutMessage: false,
  grpcMessageCompressed: false,
  drainComplete: false,
});

function toAttributes({ node, details }: Opening): Record<string, string> {
  return {
    [responseAttributes.codeDetails]: details ?? 'via_upstream',
    [responseAttributes.node]: node?.node ?? '',
    [responseAttributes.protocol]: node?.protocol ?? 'openai',
    [responseAttributes.stack]: node?.stack ?? '',
    [responseAttributes.signer]: node?.signer ?? '',
  };
}

function toEntry(entry: { exchange: string; details: string; isCallerGone: boolean }) {
  const { namespace, field } = exchangeMetadata;
  return HTTPAccessLogEntry.fromPartial({
    commonProperties: {
      metadata: { filterMetadata: { [namespace]: { [field]: entry.exchange } } },
      responseFlags: { downstreamConnectionTermination: entry.isCallerGone },
    },
    response: { responseCode: 503, responseCodeDetails: entry.details },
  });
}

const toAttempt = ({ requestId, model, node, stackId, status }: Refusal) =>
  HTTPAccessLogEntry.fromPartial({
    commonProperties: {
      accessLogType: AccessLogType.UpstreamEnd,
      // A tag without a value is left out.
      customTags: Object.fromEntries(
        Object.entries({ node, model, stack: stackId }).filter(([, value]) => value !== ''),
      ),
    },
    request: { requestHeaders: { [headers.requestId]: requestId } },
    response: { responseCode: status },
  });
