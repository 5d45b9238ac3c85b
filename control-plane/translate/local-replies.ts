/** Errors that Envoy itself makes, in the words of `domain/failure.ts`: same JSON, status and retry headers as all others. */
import { type Failure, toErrorAnswer, toErrorObject } from '../../domain/failure.ts';
import { headers as names } from '../../domain/names.ts';
import {
  AccessLogFilter,
  ComparisonFilter_Op,
} from '../../proto/gen/envoy/config/accesslog/v3/accesslog.ts';
import {
  HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from '../../proto/gen/envoy/config/core/v3/base.ts';
import { ExpressionFilter } from '../../proto/gen/envoy/extensions/access_loggers/filters/cel/v3/cel.ts';
import {
  LocalReplyConfig,
  ResponseMapper,
} from '../../proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts';
import { headersToSet, pack, typedConfig } from './proto.ts';

/** What is refused before Envoy has given it an id gets one here. */
const ownRequestId = HeaderValueOption.fromPartial({
  header: { key: names.requestId, value: '%UNIQUE_ID%' },
  appendAction: HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT,
});

/** The first mapper that matches decides. */
export function localReplies(settings: { readonly bodyBytesMax: number }): LocalReplyConfig {
  return LocalReplyConfig.fromPartial({
    mappers: [
      passThrough,
      reply(detailsMatch(serviceFailures), { kind: 'gateway-unavailable', retryAfterMs: 1000 }),
      reply(statusIs(408), requestTimeout),
      reply(statusIs(413), { kind: 'body-too-large', limitBytes: settings.bodyBytesMax }),
      reply(flagged(['UH', 'NC', 'NR', 'UO']), noNode),
      reply(statusIs(504), { kind: 'node-timeout' }),
      reply(flagged(['UF', 'UC', 'UR', 'LR', 'URX', 'UPE', 'DPE']), { kind: 'node-failed' }),
      clientMistake,
      reply(statusAtLeast(400), { kind: 'internal' }),
    ],
    bodyFormat: format(JSON.stringify({ error: toErrorObject({ kind: 'internal' }) })),
  });
}

// Answers of ext_authz, of ext_proc (their details start with "atoma_") and of routes are OpenAI errors already.
const ours = `response.code_details in ['ext_authz_denied', 'direct_response'] || response.code_details.startsWith('atoma_')`;

// Either side process failed or was silent, or Envoy sheds load because its memory is nearly used up.
const serviceFailures = `response.code_details == 'ext_authz_error' || response.code_details.startsWith('ext_proc_error') || response.code_details.startsWith('overload')`;

const passThrough = ResponseMapper.fromPartial({
  filter: detailsMatch(ours),
  bodyFormatOverride: format('%LOCAL_REPLY_BODY%'),
});

type Words = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: object;
};

// Two refusals that only Envoy can make; they read like the rest.
const requestTimeout: Words = {
  status: 408,
  headers: { 'x-should-retry': 'true' },
  error: {
    message: 'The request did not arrive in time.',
    type: 'invalid_request_error',
    param: null,
    code: 'request_timeout',
  },
};

const requestInvalid: Failure = {
  kind: 'request-invalid',
  param: null,
  message: 'This is not a valid HTTP request.',
};

// The mapper cannot know the model, so it is not named.
const noNode: Words = {
  ...wordsOf({ kind: 'no-node', model: '', retryAfterMs: 1000 }),
  error: {
    ...toErrorObject({ kind: 'no-node', model: '', retryAfterMs: 1000 }),
    message: 'No node serves this model now.',
  },
};

// Malformed requests keep the status that the codec gave them (400, 426, 431).
const clientMistake = ResponseMapper.fromPartial({
  ...reply(
    {
      filterSpecifier: {
        $case: 'andFilter',
        value: { filters: [statusAtLeast(400), statusAtMost(499)] },
      },
    },
    requestInvalid,
  ),
  statusCode: undefined,
});

function wordsOf(failure: Failure): Words {
  const { status, headers } = toErrorAnswer(failure);
  return { status, headers, error: toErrorObject(failure) };
}

function reply(filter: AccessLogFilter, answer: Failure | Words): ResponseMapper {
  const { status, headers, error } = 'kind' in answer ? wordsOf(answer) : answer;
  const { 'content-type': _byFormat, ...others } = headers;
  return ResponseMapper.fromPartial({
    filter,
    statusCode: status,
    headersToAdd: [...headersToSet(others), ownRequestId],
    bodyFormatOverride: format(JSON.stringify({ error }).replaceAll('%', '%%')),
  });
}

function format(text: string) {
  return {
    format: {
      $case: 'textFormatSource',
      value: { specifier: { $case: 'inlineString', value: text } },
    },
    contentType: 'application/json',
  } as const;
}

function detailsMatch(expression: string): AccessLogFilter {
  const config = pack(
    'envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter',
    ExpressionFilter,
    ExpressionFilter.fromPartial({ expression }),
  );
  return AccessLogFilter.fromPartial({
    filterSpecifier: {
      $case: 'extensionFilter',
      value: { name: 'cel', configType: typedConfig(config) },
    },
  });
}

function flagged(flags: string[]): AccessLogFilter {
  return AccessLogFilter.fromPartial({
    filterSpecifier: { $case: 'responseFlagFilter', value: { flags } },
  });
}

function statusIs(status: number): AccessLogFilter {
  return compareStatus(ComparisonFilter_Op.EQ, status);
}

function statusAtLeast(status: number): AccessLogFilter {
  return compareStatus(ComparisonFilter_Op.GE, status);
}

function statusAtMost(status: number): AccessLogFilter {
  return compareStatus(ComparisonFilter_Op.LE, status);
}

function compareStatus(op: ComparisonFilter_Op, status: number): AccessLogFilter {
  const value = { defaultValue: status, runtimeKey: 'atoma.local_reply.status' };
  return AccessLogFilter.fromPartial({
    filterSpecifier: { $case: 'statusCodeFilter', value: { comparison: { op, value } } },
  });
}
