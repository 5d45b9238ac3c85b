/** Counts what a node delivers and remembers the last usage that it told. */
import type { Exchange } from '../../domain/exchange.ts';
import { isObject, type JsonObject, objectsIn, parseObject } from '../../domain/json.ts';
import { generatesText } from '../../domain/model.ts';
import { parseNodeUsage } from '../../domain/node-usage.ts';
import { bytesPerTokenGuess } from '../../domain/usage.ts';
import { type ExtProcPlugin, keep } from '../plugin.ts';
import { createSealedMeter } from '../sealed-meter.ts';

export const meter: ExtProcPlugin = {
  name: 'meter',
  hooks: { request: 'headers' },
  begin({ exchange, tally }) {
    if (exchange.sealed) return createSealedMeter(exchange, tally);
    const readUsage = (json: JsonObject) => {
      // Nodes with continuous usage tell it on every event; null means "not yet", and the last word counts.
      if (json.usage === undefined || json.usage === null) return;
      tally.reported = parseNodeUsage(json.usage, exchange.bound);
    };
    return {
      responseEvent({ json }) {
        readUsage(json);
        tally.outputTokens += objectsIn(json.choices).filter(hasContent).length;
        return keep;
      },
      responseBody({ json }) {
        readUsage(json);
        tally.outputTokens = Math.ceil(textBytesOf(exchange, json) / bytesPerTokenGuess);
        tally.images = objectsIn(json.data).length;
        return keep;
      },
      responsePiece(_piece, { bytes, items }) {
        tally.outputTokens = generatesText(exchange.endpoint)
          ? Math.ceil(bytes / bytesPerTokenGuess)
          : 0;
        tally.images = items;
      },
      responseEnd({ usageText }) {
        readUsage(parseObject(`{"usage":${usageText ?? null}}`) ?? {});
        return keep;
      },
    };
  },
};

/** Whether a choice of a chunk brings anything but its role and its end; nodes send one token a chunk. */
function hasContent(choice: JsonObject): boolean {
  if (typeof choice.text === 'string') return choice.text !== '';
  if (!isObject(choice.delta)) return false;
  return Object.entries(choice.delta).some(([key, value]) => key !== 'role' && isContent(value));
}

function isContent(value: unknown): boolean {
  return value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}

function textBytesOf(exchange: Exchange, json: JsonObject): number {
  if (!generatesText(exchange.endpoint)) return 0;
  return objectsIn(json.choices)
    .map((choice) => choice.message ?? choice.text ?? '')
    .map((content) => Buffer.byteLength(isObject(content) ? contentOf(content) : String(content)))
    .reduce((total, bytes) => total + bytes, 0);
}

function contentOf({ role: _role, ...content }: JsonObject): string {
  return Object.values(content)
    .filter(isContent)
    .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
    .join('');
}
