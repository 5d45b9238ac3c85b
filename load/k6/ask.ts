/** What both k6 scripts share: one checked request, and the figures that the run reads afterwards. */
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';
import { judgeJson, judgeStream, type Tokens, type Verdict } from '../whole-answer.ts';

const reportedMax = 5;
const timeout = '60s';
/** A node that tells more tokens than were asked for is not believed; the bench node always sends thirty. */
const maxTokensMin = 30;
const prompts = [
  'Say one word.',
  'Tell me about the sea in a few words, please.',
  'Ein Satz über Äpfel, 一句话, и одно слово: '.repeat(20),
];

const whole = new Rate('whole');
const inputTokens = new Counter('tokens_input');
const cachedTokens = new Counter('tokens_cached_input');
const outputTokens = new Counter('tokens_output');
const toldTokens = new Counter('answers_with_usage');
const answered = new Trend('answered', true);
const firstByte = new Trend('first_byte', true);

const models = String(__ENV.MODELS).split(',');
let reported = 0;

export const vus = Number(__ENV.VUS);
export const duration = String(__ENV.DURATION);

/** One broken answer breaks the run. */
export const options = {
  thresholds: { whole: ['rate==1'], http_req_failed: ['rate==0'], http_reqs: ['count>0'] },
  summaryTrendStats: ['count', 'med', 'p(99)'],
  userAgent: 'atoma-load',
};

export type Ask = {
  readonly apiKey: string;
  readonly stream: boolean;
  readonly usage: 'asked' | 'not-asked';
};

/** Sends one chat, and counts whether its answer is whole. */
export function ask({ apiKey, stream, usage }: Ask): void {
  const turn = __VU + __ITER;
  const body = {
    model: models[turn % models.length],
    messages: [{ role: 'user', content: prompts[turn % prompts.length] }],
    max_tokens: maxTokensMin + (turn % 40),
    ...(stream ? { stream } : {}),
    ...(stream && usage === 'asked' ? { stream_options: { include_usage: true } } : {}),
  };
  const response = http.post(`${__ENV.URL}/v1/chat/completions`, JSON.stringify(body), {
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    timeout,
  });
  const judge = (text: string) => (stream ? judgeStream(text, usage) : judgeJson(text));
  answered.add(response.timings.duration);
  firstByte.add(response.timings.waiting);

  const text = String(response.body);
  const verdict = response.status === 200 ? judge(text) : refusal(response);
  whole.add(verdict.kind === 'whole');
  if (verdict.kind === 'broken') report(verdict.reason, text);
  else if (verdict.tokens) count(verdict.tokens);
}

const refusal = ({ status, error }: { status: number; error: string }): Verdict => ({
  kind: 'broken',
  reason: `status ${status} ${error}`,
});

function count({ input, cachedInput, output }: Tokens): void {
  toldTokens.add(1);
  inputTokens.add(input);
  cachedTokens.add(cachedInput);
  outputTokens.add(output);
}

function report(reason: string, text: string): void {
  reported += 1;
  // biome-ignore lint/suspicious/noConsole: the only way for a k6 script to say something
  if (reported <= reportedMax) console.error(`${reason}: ${text.slice(0, 300)}`);
}

/** The figures as a file for the process that started k6; k6's own summary is not printed. */
export const writeSummary = (data: object) => ({
  [String(__ENV.SUMMARY_FILE)]: JSON.stringify(data),
});
