/** Requests as no SDK sends them: any path, any header as often as wanted, with a length or in chunks. */
import { type IncomingHttpHeaders, request as openRequest } from 'node:http';
import { expect } from 'vitest';
import { z } from 'zod';
import type { TestGateway } from './gateway.ts';

export type RawHeader = readonly [name: string, value: string];

export type RawRequest = {
  readonly method?: string;
  readonly path?: string;
  /** Nothing stands for the key of the gateway's own account, null for no key. */
  readonly apiKey?: string | null;
  readonly contentType?: string | null;
  readonly headers?: readonly RawHeader[];
  readonly body?: string | Buffer;
  readonly chunked?: boolean;
};

export type RawAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
};

const chunkBytes = 65_536;

/** Sends the request on a connection of its own. */
export function send(gateway: TestGateway, raw: RawRequest): Promise<RawAnswer> {
  const { method = 'POST', path = '/v1/chat/completions', body = '', chunked = false } = raw;
  const { hostname, port, host } = new URL(gateway.baseUrl);
  const bytes = Buffer.from(body);
  const headers = [['host', host], ['connection', 'close'], ...headersOf(gateway, raw)];
  if (chunked) headers.push(['transfer-encoding', 'chunked']);
  else if (bytes.length > 0) headers.push(['content-length', String(bytes.length)]);
  return new Promise((resolve, reject) => {
    const request = openRequest({ hostname, port, method, path, headers: headers.flat() });
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    // A refusal may come while the body is still on its way; whoever has got an answer hears of no error.
    request.on('error', reject);
    if (chunked) for (const part of partsOf(bytes)) request.write(part);
    request.end(chunked ? undefined : bytes);
  });
}

function headersOf(gateway: TestGateway, raw: RawRequest): RawHeader[] {
  const { apiKey = gateway.apiKey, contentType = 'application/json', headers = [] } = raw;
  const own: RawHeader[] = [];
  if (apiKey !== null) own.push(['authorization', `Bearer ${apiKey}`]);
  if (contentType !== null) own.push(['content-type', contentType]);
  return [...own, ...headers];
}

function* partsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

const openAiError = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1),
    type: z.string().min(1),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

/** The error of an answer that must be an OpenAI error in every respect. */
export function errorIn(answer: RawAnswer) {
  expect(answer.headers['content-type']).toBe('application/json');
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers['x-should-retry']).toMatch(/^(true|false)$/);
  return openAiError.parse(JSON.parse(answer.text)).error;
}

/** What a refusal must leave as it was: the account's money, and what the nodes have seen. */
export async function stateOf(gateway: TestGateway) {
  const seen = gateway.devnet.nodes.map(({ id, received }) => [id, received.length]);
  return { balance: await gateway.storage.ledger.balance(gateway.accountId), seen };
}
