/** Requests over plain HTTP/1.1, to see the bytes of an answer and how its connection ended. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { TestGateway } from './gateway.ts';

export type RawAnswer = {
  readonly status: number;
  readonly requestId: string;
  readonly contentType: string;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** `whole` where the body ended as HTTP says, `reset` where the connection broke. */
  readonly ending: 'whole' | 'reset';
};

export type RawRequest = {
  /** What has arrived so far. */
  text(): string;
  /** Resolves with the first byte of the body. */
  readonly firstByte: Promise<void>;
  /** Resolves when nothing more can arrive. */
  readonly answer: Promise<RawAnswer>;
  /** Breaks the connection; returns the time, in milliseconds since 1970. */
  leave(): number;
};

/** Sends a body to the chat endpoint over a connection of its own. */
export function sendChat(
  gateway: Pick<TestGateway, 'baseUrl' | 'apiKey'>,
  body: object,
): RawRequest {
  let text = '';
  let resolveFirst: () => void = () => undefined;
  const firstByte = new Promise<void>((resolve) => {
    resolveFirst = resolve;
  });
  const sent = request(`${gateway.baseUrl}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${gateway.apiKey}`,
      'content-type': 'application/json',
    },
  });
  const answer = answerTo(sent, (chunk) => {
    text += chunk;
    resolveFirst();
    return text;
  });
  sent.end(JSON.stringify(body));
  return {
    text: () => text,
    firstByte,
    answer,
    leave() {
      sent.destroy();
      return Date.now();
    },
  };
}

function answerTo(sent: ClientRequest, append: (chunk: string) => string): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let head: IncomingMessage | undefined;
    const finish = (ending: RawAnswer['ending']) =>
      resolve({
        status: head?.statusCode ?? 0,
        requestId: head?.headers['x-request-id']?.toString() ?? '',
        contentType: head?.headers['content-type'] ?? '',
        headers: head?.headers ?? {},
        text: append(''),
        ending,
      });
    sent.on('error', () => finish('reset'));
    sent.on('response', (response) => {
      head = response;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => append(chunk));
      response.on('end', () => finish('whole'));
      response.on('error', () => finish('reset'));
      response.on('close', () => finish('reset'));
    });
  });
}

/** The data of each event of a stream, and nothing of an event whose end is missing. */
export const eventsOf = (text: string): readonly string[] =>
  text
    .split('\n\n')
    .slice(0, -1)
    .flatMap((event) => (event.startsWith('data: ') ? [event.slice('data: '.length)] : []));

/** How many events bring a piece of the answer: nodes send one token in each. */
export const tokensIn = (text: string): number =>
  eventsOf(text).filter((event) => /"delta":\{"content":"[^"]/.test(event)).length;
