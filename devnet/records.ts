/** What a node saw and reported: tests compare it with what the gateway charged. Bounded in number and in bytes. */
import type { IncomingHttpHeaders } from 'node:http';
import { noUsage, type Usage } from '../domain/usage.ts';
import type { Fault } from './faults.ts';

const recordsMax = 10_000;
const bodyCharsMax = 32 * 1024 * 1024;

/** One inference request; times are milliseconds since 1970. */
export type ReceivedRequest = {
  readonly requestId: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly fault: Fault['kind'] | undefined;
  readonly startedMs: number;
  /** Empty while it arrives, and again once newer requests need the room. */
  body: string;
  bodyBytes: number;
  closedMs: number | undefined;
  /** The answer went out to its natural end. */
  completed: boolean;
  /** Output tokens that were written, reported or not. */
  tokensSent: number;
  /** As written to the caller; under a fault it need not make sense. */
  usage: Usage | undefined;
};

export type UsageTotals = Usage & { readonly reports: number };

/** Adds two usages. */
const plus = (left: Usage, right: Usage): Usage => ({
  inputTokens: left.inputTokens + right.inputTokens,
  cachedInputTokens: left.cachedInputTokens + right.cachedInputTokens,
  outputTokens: left.outputTokens + right.outputTokens,
  images: left.images + right.images,
  imagePixels: left.imagePixels + right.imagePixels,
});

/** The records of one node. */
export function createRecords(nowMs: () => number) {
  const received: ReceivedRequest[] = [];
  let bodyChars = 0;
  let bodiesDroppedTo = 0;
  let open = 0;
  let totals: UsageTotals = { ...noUsage, reports: 0 };

  function dropOld(): void {
    while (bodyChars > bodyCharsMax && bodiesDroppedTo < received.length) {
      const oldest = received[bodiesDroppedTo];
      bodiesDroppedTo += 1;
      if (!oldest) continue;
      bodyChars -= oldest.body.length;
      oldest.body = '';
    }
    if (received.length < recordsMax * 2) return;
    for (const old of received.splice(0, recordsMax)) bodyChars -= old.body.length;
    bodiesDroppedTo = Math.max(0, bodiesDroppedTo - recordsMax);
  }

  return {
    received: (): readonly ReceivedRequest[] => received,
    openRequests: () => open,
    totals: () => totals,
    begin(request: {
      path: string;
      headers: IncomingHttpHeaders;
      fault: Fault | undefined;
    }): ReceivedRequest {
      const { path, headers, fault } = request;
      const record: ReceivedRequest = {
        requestId: headers['x-request-id']?.toString() ?? '',
        path,
        headers,
        fault: fault?.kind,
        startedMs: nowMs(),
        body: '',
        bodyBytes: 0,
        closedMs: undefined,
        completed: false,
        tokensSent: 0,
        usage: undefined,
      };
      received.push(record);
      open += 1;
      dropOld();
      return record;
    },
    setBody(record: ReceivedRequest, body: Buffer): string {
      const text = body.toString();
      record.body = text;
      record.bodyBytes = body.length;
      bodyChars += text.length;
      dropOld();
      return text;
    },
    report(record: ReceivedRequest, usage: Usage): void {
      record.usage = usage;
      totals = { ...plus(totals, usage), reports: totals.reports + 1 };
    },
    end(record: ReceivedRequest): void {
      record.closedMs = nowMs();
      open -= 1;
    },
  };
}
