/** Parts of routes: what they look for in a request, and answers that Envoy gives by itself. */
import { toErrorAnswer } from '../../domain/failure.ts';
import { HeaderMatcher } from '../../proto/gen/envoy/config/route/v3/route_components.ts';
import { withoutFilters } from './filters.ts';
import { headersToSet } from './proto.ts';

type Refusal = Parameters<typeof toErrorAnswer>[0];

/** An answer that Envoy gives without asking anybody. */
export function refusal(failure: Refusal) {
  const { status, headers: answerHeaders, body } = toErrorAnswer(failure);
  return {
    action: {
      $case: 'directResponse',
      value: { status, body: { specifier: { $case: 'inlineString', value: body } } },
    },
    responseHeadersToAdd: headersToSet(answerHeaders),
    typedPerFilterConfig: withoutFilters,
  } as const;
}

export const present = (name: string) =>
  HeaderMatcher.fromPartial({ name, headerMatchSpecifier: { $case: 'presentMatch', value: true } });

export const method = (value: 'GET' | 'POST' | 'PUT') =>
  HeaderMatcher.fromPartial({
    name: ':method',
    headerMatchSpecifier: {
      $case: 'stringMatch',
      value: { matchPattern: { $case: 'exact', value } },
    },
  });

export const lengthWithin = (start: bigint, end: bigint) =>
  HeaderMatcher.fromPartial({
    name: 'content-length',
    headerMatchSpecifier: { $case: 'rangeMatch', value: { start, end } },
  });

export const largerThan = (bytes: number) => lengthWithin(BigInt(bytes + 1), 2n ** 63n - 1n);
