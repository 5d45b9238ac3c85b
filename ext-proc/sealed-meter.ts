/** Counts of a sealed answer: what the node tells in clear, and the lengths that everybody sees. */
import type { Exchange } from '../domain/exchange.ts';
import { type JsonObject, parseObject } from '../domain/json.ts';
import { generatesText } from '../domain/model.ts';
import { isBeyond, parseNodeUsage } from '../domain/node-usage.ts';
import { bytesPerTokenGuess } from '../domain/usage.ts';
import { type ExchangeHooks, keep, type Verdict } from './plugin.ts';
import type { Tally } from './tally.ts';

/** Events that bring no token: the role, the end of each choice, the usage. */
const bareEventsMax = 16;

export function createSealedMeter(exchange: Exchange, tally: Tally): ExchangeHooks {
  const { bound, endpoint } = exchange;

  function exceed(): Verdict {
    tally.exceeded = true;
    const limitTokens = bound.inputTokens + bound.outputTokens;
    return { kind: 'fail', failure: { kind: 'sealed-oversized', limitTokens }, ending: 'refused' };
  }

  /** More than was let in is not handed out, whoever lies: the request, or the node. */
  function readUsage({ usage }: JsonObject): Verdict {
    if (usage === undefined || usage === null) return keep;
    tally.reported = parseNodeUsage(usage, bound);
    return isBeyond(usage, bound) ? exceed() : keep;
  }

  function countBytes(bytes: number): void {
    tally.outputTokens = generatesText(endpoint) ? Math.ceil(bytes / bytesPerTokenGuess) : 0;
    // What pictures are in it, nobody sees: what was let in is what is billed.
    tally.images = bound.images;
  }

  return {
    responseEvent({ json }) {
      tally.outputTokens += 1;
      return tally.outputTokens > bound.outputTokens + bareEventsMax ? exceed() : readUsage(json);
    },
    responseBody({ json }) {
      const { ciphertext } = json;
      countBytes(typeof ciphertext === 'string' ? Buffer.byteLength(ciphertext, 'base64') : 0);
      return readUsage(json);
    },
    responsePiece: (_piece, { bytes }) => countBytes(bytes),
    responseEnd: ({ usageText }) => readUsage(parseObject(`{"usage":${usageText ?? null}}`) ?? {}),
  };
}
