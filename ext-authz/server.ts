/** The wire: Envoy's CheckRequest becomes a check, a verdict becomes its CheckResponse. Nothing is decided here. */
import {
  status as grpcStatus,
  type handleUnaryCall,
  type Server,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { toErrorAnswer } from '../domain/failure.ts';
import { exchangeMetadata, headers as names, phaseMetadata } from '../domain/names.ts';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from '../proto/gen/envoy/config/core/v3/base.ts';
import {
  AuthorizationService,
  type CheckRequest,
  type CheckResponse,
} from '../proto/gen/envoy/service/auth/v3/external_auth.ts';
import { StatusCode } from '../proto/gen/envoy/type/v3/http_status.ts';
import type { Status } from '../proto/gen/google/rpc/status.ts';
import type { Answering } from './answering.ts';
import type { Check, Verdict } from './decision.ts';
import { callerGone } from './hold.ts';
import { type Header, toRefusedRateHeaders } from './rate-headers.ts';

/** What a check needs besides the body: headers and framing. */
export const checkOverheadBytes = 2 ** 20;

/** Adds the Authorization service to a gRPC server. */
export function addAuthorization(server: Server, answer: Answering): void {
  const check: handleUnaryCall<CheckRequest, CheckResponse> = (call, callback) => {
    const controller = new AbortController();
    // Also fires after an answered call, when the decision is over and nobody listens to the signal any more.
    call.on('cancelled', () => controller.abort(callerGone));
    void answer(toCheck(call), controller).then((verdict) => {
      if (verdict.kind !== 'cancelled') callback(null, toResponse(verdict));
      else callback({ code: grpcStatus.CANCELLED, details: 'cancelled' });
    });
  };
  server.addService(AuthorizationService, { check });
}

function toCheck(call: ServerUnaryCall<CheckRequest, CheckResponse>): Check {
  const http = call.request.attributes?.request?.http;
  const headers: Check['headers'] = http?.headers ?? {};
  return {
    requestId: headers[names.requestId] ?? '',
    method: http?.method ?? '',
    path: http?.path ?? '',
    headers,
    body: http?.rawBody ?? noBytes,
    keyOnly: call.metadata.get(phaseMetadata.name).includes(phaseMetadata.keyOnly),
  };
}

function toResponse(verdict: Exclude<Verdict, { kind: 'cancelled' }>): CheckResponse {
  if (verdict.kind === 'refused') return toDenial(verdict);
  const { headers, headersToRemove, responseHeaders } = verdict;
  return {
    status: passed,
    httpResponse: {
      $case: 'okResponse',
      value: {
        headers: headers.map(toOption),
        headersToRemove: [...headersToRemove],
        responseHeadersToAdd: responseHeaders.map(toOption),
        queryParametersToSet: [],
        queryParametersToRemove: [],
      },
    },
    dynamicMetadata: metadataOf(verdict),
  };
}

function metadataOf({ exchange, hosts }: Exclude<Verdict, { kind: 'cancelled' | 'refused' }>) {
  if (exchange === undefined) return undefined;
  return {
    [exchangeMetadata.field]: exchange,
    ...(hosts === undefined ? {} : { [exchangeMetadata.hosts]: hosts }),
  };
}

function toDenial({ failure }: Extract<Verdict, { kind: 'refused' }>): CheckResponse {
  const answer = toErrorAnswer(failure);
  const headers = [...Object.entries(answer.headers), ...toRefusedRateHeaders(failure)];
  return {
    status: denied,
    httpResponse: {
      $case: 'deniedResponse',
      value: {
        status: { code: statusCodes.get(answer.status) ?? StatusCode.InternalServerError },
        headers: headers.map(toOption),
        body: answer.body,
      },
    },
  };
}

const noBytes = Buffer.alloc(0);
const passed: Status = { code: grpcStatus.OK, message: '', details: [] };
const denied: Status = { code: grpcStatus.PERMISSION_DENIED, message: '', details: [] };
const statusCodes = new Map<number, StatusCode>(
  Object.values(StatusCode).map((code) => [code, code]),
);

/** Overwrites: what a client or a node sent under the same name does not survive. */
const toOption = ([key, value]: Header): HeaderValueOption => ({
  header: { key, value, rawValue: noBytes },
  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  keepEmptyValue: false,
});
