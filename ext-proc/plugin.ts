/** The contract of a plugin of ext-proc: what it sees of each exchange, what it may answer, and when it is called. */
import type { AnswerSummary } from '../domain/answer-scan.ts';
import type { Exchange } from '../domain/exchange.ts';
import type { Failure } from '../domain/failure.ts';
import type { Charge } from '../domain/metering.ts';
import type { Ending } from '../domain/reservation.ts';
import type { Logger } from '../runtime/log.ts';
import type { ByteHashes } from './byte-record.ts';
import type { Tally } from './tally.ts';

/** The endpoint that served, from its metadata; empty strings before an answer has come. */
export type NodeIdentity = {
  readonly id: string;
  readonly protocol: string;
  readonly stackId: string;
  readonly signerAddress: string;
};

/** What every hook of one exchange may look at. */
export type ExchangeContext = {
  readonly exchange: Exchange;
  readonly tally: Tally;
  readonly log: Logger;
  /** Known from the response headers on. */
  node(): NodeIdentity;
};

export type HeaderEdits = {
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
};

/** Names are lower case. */
export type HeaderView = ReadonlyMap<string, string>;

export type ResponseHead = { readonly status: number; readonly headers: HeaderView };

/** One JSON event of a stream, or a whole JSON answer; `raw` are the bytes as they will be forwarded. */
export type AnswerPart = {
  readonly raw: Uint8Array;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
};

/**
 * What becomes of a part: kept byte for byte, left out (events only), replaced by another JSON object, or the exchange
 * fails: the caller sees the failure, and nothing that comes after it.
 */
export type Verdict =
  | { readonly kind: 'keep' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'replace'; readonly text: string }
  | { readonly kind: 'fail'; readonly failure: Failure; readonly ending: Ending };

export const keep: Verdict = { kind: 'keep' };

export type Outcome = {
  /** For the receipt; nothing where none is issued. */
  readonly bytes: ByteHashes | undefined;
  readonly ending: Ending;
  readonly status: number;
  readonly charge: Charge;
};

/** Every hook is optional and synchronous: Envoy holds the answer back until it returns. */
export type ExchangeHooks = {
  requestHeaders?(headers: HeaderView): HeaderEdits;
  /** The body to send instead, or the same. */
  requestBody?(body: Uint8Array): Uint8Array;
  responseHeaders?(head: ResponseHead): HeaderEdits;
  responseEvent?(event: AnswerPart): Verdict;
  /** A whole JSON answer, unless it is large. */
  responseBody?(body: AnswerPart): Verdict;
  /** A piece of a JSON answer too large to be held, and what has been seen of the answer so far; it goes on as it is. */
  responsePiece?(piece: Uint8Array, seen: AnswerSummary): void;
  /** After the last piece of a large answer: it is closed, or the caller sees it broken. Other verdicts mean "keep". */
  responseEnd?(summary: AnswerSummary): Verdict;
  /** Called exactly once, however the exchange ends. */
  end?(outcome: Outcome): void;
};

/** How much of each request Envoy must show; a body is then held back until it is complete. */
type RequestPhases = 'headers' | 'body';

/** What a plugin module creates from its settings. */
export type ExtProcPlugin = {
  readonly name: string;
  readonly hooks: { readonly request: RequestPhases };
  /** Called for each exchange. */
  begin(context: ExchangeContext): ExchangeHooks;
};

/** What the host lends to a plugin. */
export type ExtProcTools = { readonly log: Logger };
