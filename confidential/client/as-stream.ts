/** A whole answer as the events of a stream: one chunk for each choice, usage where it was asked for, and the end. */
import { isObject, type JsonObject } from '../../domain/json.ts';
import { choicesOf } from './content.ts';
import type { PlainRequest } from './plain-request.ts';

export const doneEvent = 'data: [DONE]\n\n';

/** Lines within the text stay lines of the same event. */
export const eventOf = (text: string) => `data: ${text.replace(/\r\n|\r|\n/g, '\ndata: ')}\n\n`;

/** The events, in order. */
export function* eventsOf(whole: JsonObject, request: PlainRequest): Generator<string> {
  const { usage, choices: _, ...rest } = whole;
  const isChat = whole.object === 'chat.completion';
  const head = isChat ? { ...rest, object: 'chat.completion.chunk' } : rest;
  for (const choice of choicesOf(whole)) {
    const chunk = { ...head, choices: [isChat ? chatChunk(choice) : choice] };
    yield eventOf(JSON.stringify(chunk));
  }
  if (request.usageWanted) yield eventOf(JSON.stringify({ ...head, choices: [], usage }));
  yield doneEvent;
}

function chatChunk({ message, ...choice }: JsonObject): JsonObject {
  const { tool_calls: calls, ...said } = isObject(message) ? message : {};
  // In a stream each call says which one it is.
  const tools = Array.isArray(calls)
    ? {
        tool_calls: calls.map((call: unknown, index) =>
          isObject(call) ? { index, ...call } : call,
        ),
      }
    : {};
  return { ...choice, delta: { ...said, ...tools } };
}
