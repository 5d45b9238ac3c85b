/** The fleet of the fault tests: a pair of nodes for each protocol, and one that stands alone. */
import type { FaultInput } from '../../devnet/faults.ts';
import type { NetworkModelInput, NetworkNodeInput } from '../../devnet/network-schema.ts';
import type { Protocol } from '../../domain/model.ts';

export type NodeFault = { readonly name: string; readonly fault: FaultInput };

const status = (code: number): NodeFault => ({
  name: `status ${code}`,
  fault: { kind: 'status', status: code },
});

/** Faults before the first byte, after which another node can answer. */
export const earlyFaults: Readonly<Record<Protocol, readonly NodeFault[]>> = {
  openai: [
    { name: 'refused connection', fault: { kind: 'refuse' } },
    { name: 'silence', fault: { kind: 'hang-before-headers' } },
    ...[429, 500, 502, 503, 504].map(status),
  ],
  atoma: [
    { name: 'refused connection', fault: { kind: 'refuse' } },
    { name: 'silence', fault: { kind: 'hang-before-headers' } },
    ...[401, 423, 425, 429, 500].map(status),
  ],
};

/** Each fault has models of its own, so that an ejected node is missing to no other test. */
export const pairModel = (protocol: Protocol, { name }: NodeFault) =>
  `pair/${protocol}-${name.replaceAll(' ', '-')}`;
export const aloneModel = (protocol: Protocol) => `alone/${protocol}`;
export const badNode = (protocol: Protocol) => `${protocol}-bad`;
export const goodNode = (protocol: Protocol) => `${protocol}-good`;
export const aloneNode = (protocol: Protocol) => `${protocol}-alone`;

/** Pico-dollars per token, as the price below says. */
export const faultPrice = { input: 500_000n, output: 1_500_000n } as const;

const model = (id: string): NetworkModelInput => ({
  id,
  endpoints: ['chat'],
  context_tokens: 8192,
  output_tokens_max: 512,
  media_tokens_max: 0,
  owned_by: 'acme',
  created: 1_735_689_600,
  price: { input: '0.5', cached_input: '0.25', output: '1.5' },
});

const both = ['openai', 'atoma'] as const;
const pairs = (protocol: Protocol) =>
  earlyFaults[protocol].map((fault) => pairModel(protocol, fault));

export const faultModels: readonly NetworkModelInput[] = both.flatMap((protocol) =>
  [...pairs(protocol), aloneModel(protocol)].map(model),
);

/** The bad node of a pair is nearly always the first choice. */
export const faultNodes: readonly NetworkNodeInput[] = both.flatMap((protocol) => [
  { id: badNode(protocol), protocol, weight: 100, models: pairs(protocol) },
  { id: goodNode(protocol), protocol, weight: 1, models: pairs(protocol) },
  { id: aloneNode(protocol), protocol, models: [aloneModel(protocol)] },
]);
