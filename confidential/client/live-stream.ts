/** A stream whose events are opened as they come. What of them is proven depends on the node's nonces. */

import { isObject, type JsonObject, parseObject } from '../../domain/json.ts';
import { createSseParser } from '../../domain/sse.ts';
import { createStreamReader, type OpenedEvent } from '../stream.ts';
import { isNumbered } from '../stream-nonces.ts';
import { doneEvent, eventOf } from './as-stream.ts';
import { choicesOf, expectChunk, expectUsage, isFinished } from './content.ts';
import { createDeferredSigner } from './deferred-signer.ts';
import { UnprovenError } from './errors.ts';
import { type Exchange, expectOpened } from './exchange.ts';

const eventBytesMax = 16 * 1024 * 1024;
const decoder = new TextDecoder();

/** The events for the caller, ended as OpenAI ends them. */
export async function* liveStream(
  exchange: Exchange,
  order: 'proven' | 'unproven',
): AsyncGenerator<string> {
  const open = createEventOpener(exchange, order);
  const progress = createProgress();
  for await (const data of eventData(exchange)) {
    if (isError(data)) {
      // The gateway's word, in clear: it ends the stream, and can say nothing else.
      yield eventOf(data);
      return;
    }
    const { text, opened } = await open(data);
    const chunk = expectChunk(text, exchange);
    progress.add(chunk, opened);
    const isUsageOnly = choicesOf(chunk).length === 0;
    if (!isUsageOnly || exchange.request.usageWanted) yield eventOf(text);
  }
  progress.expectEnd();
  yield doneEvent;
}

async function* eventData({ reader }: Exchange): AsyncGenerator<string> {
  const parser = createSseParser({ eventBytesMax });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const { events, oversized } = parser.push(value);
    for (const event of events) {
      const data = event.data();
      // Comments carry nothing, and an end that nobody signed proves nothing.
      if (data !== undefined && data !== '[DONE]') yield data;
    }
    if (oversized) throw new UnprovenError('ciphertext', 'an event is too large');
  }
  if (parser.rest().length > 0)
    throw new UnprovenError('end', 'the stream stopped within an event');
}

const isError = (data: string): boolean => isObject(parseObject(data)?.error);

function createEventOpener(exchange: Exchange, order: 'proven' | 'unproven') {
  const signer = createDeferredSigner();
  const stream = createStreamReader(exchange.cipher, signer.signerOf);
  let events = 0;
  let first: Uint8Array | undefined;

  function expectInTurn({ nonce, isNonceRepeated }: OpenedEvent): void {
    if (order === 'unproven') return;
    if (isNonceRepeated) throw new UnprovenError('nonce', 'two events have one nonce');
    first ??= nonce;
    if (!isNumbered(nonce, { first, number: events })) {
      throw new UnprovenError('order', `event ${events} is not the next one by its nonce`);
    }
    events += 1;
  }

  return async function open(data: string) {
    const opened = expectOpened(stream.open(data));
    if (!(await signer.isProven())) {
      throw new UnprovenError('signer', "an event's signature is not valid");
    }
    if (opened.signed === 'event') {
      throw new UnprovenError('end', 'the stream was stopped before its end');
    }
    expectInTurn(opened);
    await exchange.checkSigner(opened.signerAddress, exchange.signal);
    return { text: decoder.decode(opened.plaintext), opened };
  };
}

/** Follows which choices have ended, and whether the last chunk counts the whole. */
function createProgress() {
  const open = new Set<unknown>();
  const ended = new Set<unknown>();
  let id: unknown;
  let isCounted = false;

  function addChoice(choice: JsonObject): void {
    const { index } = choice;
    if (ended.has(index)) throw new UnprovenError('order', 'a choice goes on after its end');
    if (!isFinished(choice)) open.add(index);
    else if (open.delete(index) || !ended.has(index)) ended.add(index);
  }

  return {
    add(chunk: JsonObject, { usage }: OpenedEvent): void {
      id ??= chunk.id;
      if (chunk.id !== id) throw new UnprovenError('order', 'a chunk is of another answer');
      for (const choice of choicesOf(chunk)) addChoice(choice);
      // Some backends count as they go: only what stands last counts the whole.
      isCounted = isObject(chunk.usage);
      if (isCounted) expectUsage(chunk.usage, usage);
    },
    expectEnd(): void {
      if (!isCounted || open.size > 0 || ended.size === 0) {
        throw new UnprovenError('end', 'the stream stopped before its end');
      }
    },
  };
}
