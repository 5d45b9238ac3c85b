/** A few callers without retries who ask again and again, streams and JSON in turn, and keep account of what they got. */
import { setTimeout as delay } from 'node:timers/promises';
import { eventsOf, type RawAnswer, sendChat } from './chat-request.ts';
import { type TestGateway, until } from './gateway.ts';

export type Outcome = {
  readonly requestId: string;
  readonly stream: boolean;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: number;
  /** `whole` where the caller has a complete answer; `hidden` where a failure does not show as one. */
  readonly kind: 'whole' | 'failed' | 'hidden';
  readonly text: string;
};

export type SteadyLoad = {
  readonly outcomes: readonly Outcome[];
  /** Waits until this many more requests of each kind have succeeded; tells how long that took. */
  untilServed(count: number, timeoutMs: number): Promise<number>;
  /** Lets open requests end. */
  stop(): Promise<readonly Outcome[]>;
};

/** Callers in step would leave moments at which no request is open. */
const staggerMs = 60;
/** So that a gateway that refuses at once is not asked a thousand times a second. */
const failurePauseMs = 50;

export function startLoad(
  gateway: Pick<TestGateway, 'baseUrl' | 'apiKey'>,
  options: { readonly model: string; readonly callers: number; readonly tokensMax: number },
): SteadyLoad {
  const { model, callers, tokensMax } = options;
  const outcomes: Outcome[] = [];
  const stopping = new AbortController();

  async function ask(stream: boolean): Promise<void> {
    const startedMs = Date.now();
    const answer = await sendChat(gateway, {
      model,
      stream,
      max_tokens: tokensMax,
      messages: [{ role: 'user', content: 'Go on, please.' }],
    }).answer;
    const { requestId, status, text } = answer;
    const kind = stream ? judgeStream(answer) : judgeJson(answer);
    outcomes.push({ requestId, stream, startedMs, endedMs: Date.now(), status, kind, text });
    if (kind !== 'whole') await delay(failurePauseMs);
  }

  async function run(index: number): Promise<void> {
    await delay(index * staggerMs);
    for (let turn = index; !stopping.signal.aborted; turn += 1) await ask(turn % 2 === 0);
  }

  const running = Array.from({ length: callers }, (_, index) => run(index));
  const served = (stream: boolean) =>
    outcomes.filter((outcome) => outcome.stream === stream && outcome.kind === 'whole').length;

  return {
    outcomes,
    async untilServed(count, timeoutMs) {
      const startMs = performance.now();
      const [streams, others] = [served(true) + count, served(false) + count];
      await until(() => served(true) >= streams && served(false) >= others, timeoutMs);
      return performance.now() - startMs;
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
      return outcomes;
    },
  };
}

function judgeStream({ status, ending, text }: RawAnswer): Outcome['kind'] {
  const events = eventsOf(text);
  if (events.at(-1) === '[DONE]')
    return ending === 'whole' && isFinished(text) ? 'whole' : 'hidden';
  const isShown = ending === 'reset' || status >= 400 || /^\{"error"/.test(events.at(-1) ?? '');
  return isShown ? 'failed' : 'hidden';
}

function judgeJson({ status, ending, text }: RawAnswer): Outcome['kind'] {
  if (ending === 'reset' || status >= 400) return 'failed';
  return status === 200 && isFinished(text) ? 'whole' : 'hidden';
}

const isFinished = (text: string) => /"finish_reason":"(stop|length)"/.test(text);
