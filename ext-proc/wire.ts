/** Between Envoy's ext_proc messages and the domain: translates, decides nothing. */
import { exchangeMetadata, responseAttributes } from '../domain/names.ts';
import {
  type HeaderMap,
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from '../proto/gen/envoy/config/core/v3/base.ts';
import {
  ProcessingMode_BodySendMode as BodySendMode,
  type ProcessingMode,
} from '../proto/gen/envoy/extensions/filters/http/ext_proc/v3/processing_mode.ts';
import {
  type CommonResponse,
  CommonResponse_ResponseStatus,
  type HeaderMutation,
  type ProcessingRequest,
  type ProcessingResponse,
} from '../proto/gen/envoy/service/ext_proc/v3/external_processor.ts';
import { StatusCode } from '../proto/gen/envoy/type/v3/http_status.ts';
import type { Source } from './exchange-run.ts';
import type { HeaderEdits, HeaderView, ResponseHead } from './plugin.ts';
import type { Answer, Continue, Reply } from './reply.ts';

/** Metadata namespaces hold whatever their writers put there. */
type Metadata = { readonly filterMetadata: Readonly<Record<string, unknown>> } | undefined;

/** The exchange's JSON in dynamic metadata; nothing for requests that were never admitted. */
export function exchangeTextOf(metadata: Metadata): string | undefined {
  return textIn(metadata?.filterMetadata[exchangeMetadata.namespace], exchangeMetadata.field);
}

export function headersOf(map: HeaderMap | undefined): HeaderView {
  return new Map(
    map?.headers.map(({ key, value, rawValue }) => [
      key.toLowerCase(),
      rawValue.length > 0 ? rawValue.toString('latin1') : value,
    ]),
  );
}

export function headOf(map: HeaderMap | undefined): ResponseHead {
  const headers = headersOf(map);
  return { status: Number(headers.get(':status') ?? 0), headers };
}

const attributesNamespace = 'envoy.filters.http.ext_proc';

export function sourceOf({ attributes }: ProcessingRequest): Source {
  const told: unknown = attributes[attributesNamespace];
  const read = (name: keyof typeof responseAttributes) =>
    textIn(told, responseAttributes[name]) ?? '';
  const protocol = read('protocol');
  const node = {
    id: read('node'),
    protocol,
    // An earlier attempt at an Atoma node may have left one.
    stackId: protocol === 'atoma' ? read('stack') : '',
    signerAddress: read('signer'),
  };
  const details = read('codeDetails');
  return details === 'via_upstream' ? { kind: 'node', node } : { kind: 'envoy', node, details };
}

function textIn(fields: unknown, name: string): string | undefined {
  if (typeof fields !== 'object' || fields === null) return undefined;
  const value: unknown = Reflect.get(fields, name);
  return typeof value === 'string' ? value : undefined;
}

/** `phase` is the case of the message that is answered. */
export function toResponse(
  phase: NonNullable<ProcessingRequest['request']>['$case'],
  reply: Reply,
): ProcessingResponse {
  if (reply.kind === 'answer') return { ...bare, response: toImmediate(reply) };
  const modeOverride = modes[reply.bodyMode];
  switch (phase) {
    case 'requestTrailers':
    case 'responseTrailers':
      return { ...bare, response: { $case: phase, value: {} } };
    case 'requestHeaders':
    case 'requestBody':
    case 'responseHeaders':
    case 'responseBody':
      return {
        ...bare,
        response: { $case: phase, value: { response: toCommon(reply) } },
        ...(modeOverride ? { modeOverride } : {}),
      };
  }
}

const bare = {
  typedDynamicMetadata: {},
  requestDrain: false,
  requestDrainRequests: false,
  requestDrainResponses: false,
} as const;

const mode = (responseBodyMode: BodySendMode): ProcessingMode => ({
  requestHeaderMode: 0,
  responseHeaderMode: 0,
  requestBodyMode: BodySendMode.NONE,
  responseBodyMode,
  requestTrailerMode: 0,
  responseTrailerMode: 0,
});

const modes = {
  unseen: undefined,
  streamed: mode(BodySendMode.STREAMED),
  whole: mode(BodySendMode.BUFFERED),
} as const;

const unchanged: CommonResponse = {
  status: CommonResponse_ResponseStatus.CONTINUE,
  clearRouteCache: false,
};

function toCommon({ headers, body }: Continue): CommonResponse {
  const hasEdits = headers.remove.length > 0 || Object.keys(headers.set).length > 0;
  if (!hasEdits && body === undefined) return unchanged;
  return {
    ...unchanged,
    ...(hasEdits ? { headerMutation: toMutation(headers) } : {}),
    ...(body ? { bodyMutation: { mutation: toBodyMutation(body) } } : {}),
  };
}

const toBodyMutation = (body: Uint8Array) =>
  body.length > 0
    ? { $case: 'body' as const, value: Buffer.from(body.buffer, body.byteOffset, body.length) }
    : { $case: 'clearBody' as const, value: true };

function toMutation({ set, remove }: HeaderEdits): HeaderMutation {
  return { setHeaders: Object.entries(set).map(toOption), removeHeaders: [...remove] };
}

/** Envoy writes `value` as an empty header here; only `rawValue` counts. */
const toOption = ([key, value]: [string, string]): HeaderValueOption => ({
  header: { key, value: '', rawValue: Buffer.from(value) },
  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  keepEmptyValue: false,
});

function toImmediate({ status, headers, body, details }: Answer) {
  return {
    $case: 'immediateResponse' as const,
    value: {
      status: { code: toStatusCode(status) },
      headers: toMutation({ set: headers, remove: [] }),
      body: Buffer.from(body),
      details,
    },
  };
}

const statusCodes: ReadonlySet<number> = new Set(Object.values(StatusCode));
const isStatusCode = (status: number): status is StatusCode => statusCodes.has(status);
const toStatusCode = (status: number): StatusCode =>
  isStatusCode(status) ? status : StatusCode.InternalServerError;
