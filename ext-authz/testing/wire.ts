/** Plays Envoy in tests: asks an admission service over gRPC and reads its answer. */
import { type ClientUnaryCall, credentials, Metadata } from '@grpc/grpc-js';
import { exchangeMetadata, phaseMetadata } from '../../domain/names.ts';
import type { HeaderValueOption } from '../../proto/gen/envoy/config/core/v3/base.ts';
import {
  AuthorizationClient,
  CheckRequest,
  type CheckResponse,
} from '../../proto/gen/envoy/service/auth/v3/external_auth.ts';

export type Question = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly keyOnly?: boolean;
};

export type WireAnswer =
  | {
      readonly kind: 'ok';
      readonly headers: Record<string, string>;
      readonly removed: readonly string[];
      readonly responseHeaders: Record<string, string>;
      readonly exchange: string | undefined;
    }
  | {
      readonly kind: 'denied';
      readonly status: number;
      readonly headers: Record<string, string>;
      readonly body: string;
    };

/** A client as one Envoy would have it; each question becomes one call. */
export function createAsker(port: number) {
  const client = new AuthorizationClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  });

  function start(question: Question): { call: ClientUnaryCall; answer: Promise<WireAnswer> } {
    const metadata = new Metadata();
    if (question.keyOnly === true) metadata.set(phaseMetadata.name, phaseMetadata.keyOnly);
    const { promise, resolve, reject } = Promise.withResolvers<WireAnswer>();
    const call = client.check(toRequest(question), metadata, (error, response) => {
      if (error) reject(error);
      else resolve(toAnswer(response));
    });
    return { call, answer: promise };
  }

  return {
    start,
    ask: (question: Question) => start(question).answer,
    close: () => client.close(),
  };
}

function toRequest({ method, path, headers, body }: Question): CheckRequest {
  return CheckRequest.fromPartial({
    attributes: {
      request: {
        http: {
          method: method ?? 'POST',
          path: path ?? '/v1/chat/completions',
          headers: { 'content-type': 'application/json', ...headers },
          rawBody: typeof body === 'string' ? Buffer.from(body) : Buffer.from(body ?? []),
        },
      },
    },
  });
}

function toAnswer({ httpResponse, dynamicMetadata }: CheckResponse): WireAnswer {
  if (httpResponse?.$case === 'okResponse') {
    const { headers, headersToRemove, responseHeadersToAdd } = httpResponse.value;
    const exchange: unknown = dynamicMetadata?.[exchangeMetadata.field];
    return {
      kind: 'ok',
      headers: toRecord(headers),
      removed: headersToRemove,
      responseHeaders: toRecord(responseHeadersToAdd),
      exchange: typeof exchange === 'string' ? exchange : undefined,
    };
  }
  if (httpResponse?.$case !== 'deniedResponse') throw new Error('neither allowed nor denied');
  const { status, headers, body } = httpResponse.value;
  return { kind: 'denied', status: status?.code ?? 0, headers: toRecord(headers), body };
}

function toRecord(options: readonly HeaderValueOption[]): Record<string, string> {
  return Object.fromEntries(options.map(({ header }) => [header?.key ?? '', header?.value ?? '']));
}
