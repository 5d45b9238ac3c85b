/** One whole answer: opened and proven before the caller sees any of it, as JSON or as the events of a stream. */
import type { JsonObject } from '../../domain/json.ts';
import { generatesText } from '../../domain/model.ts';
import { answerCharsMax } from '../answer.ts';
import { openResponse } from '../response.ts';
import { eventsOf } from './as-stream.ts';
import { readText } from './body.ts';
import { choicesOf, expectUsage, expectWhole, isFinished } from './content.ts';
import { UnprovenError } from './errors.ts';
import { type Exchange, expectOpened } from './exchange.ts';

const decoder = new TextDecoder();

/** The parts of the body for the caller: the node's own text, or the events that a stream would have had. */
export async function* wholeAnswer(exchange: Exchange): AsyncGenerator<string> {
  const { cipher, request, reader } = exchange;
  const sealed = await readText(reader, answerCharsMax);
  if (sealed === undefined) throw new UnprovenError('ciphertext', 'what came back is no text');
  const opened = expectOpened(openResponse(sealed, cipher));
  if (opened.isNonceRepeated)
    throw new UnprovenError('nonce', 'the answer has the nonce of the request');
  await exchange.checkSigner(opened.signerAddress, exchange.signal);

  const text = decoder.decode(opened.plaintext);
  const json = expectWhole(text, exchange);
  expectComplete(json, exchange);
  if (exchange.endpoint !== 'images') expectUsage(json.usage, opened.usage);
  if (request.isStream) yield* eventsOf(json, request);
  else yield text;
}

function expectComplete(json: JsonObject, { endpoint }: Exchange): void {
  if (!generatesText(endpoint)) return;
  const choices = choicesOf(json);
  if (choices.length === 0 || !choices.every(isFinished)) {
    throw new UnprovenError('end', 'the answer has a choice without an end');
  }
}
