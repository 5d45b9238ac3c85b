import { describe, expect, it } from 'vitest';
import { judgeJson, judgeStream } from './whole-answer.ts';

const usage = {
  prompt_tokens: 7,
  completion_tokens: 3,
  prompt_tokens_details: { cached_tokens: 2 },
};
const tokens = { input: 7, cachedInput: 2, output: 3 };
const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const word = event({ choices: [{ delta: { content: 'a' }, finish_reason: null }], usage: null });
const finish = event({ choices: [{ delta: {}, finish_reason: 'stop' }] });
const told = event({ choices: [], usage });
const done = 'data: [DONE]\n\n';

describe('judgeJson', () => {
  it('takes finished choices with a usage', () => {
    const text = JSON.stringify({ choices: [{ finish_reason: 'length' }], usage });
    expect(judgeJson(text)).toEqual({ kind: 'whole', tokens });
  });

  it.each([
    ['{"choices": [', 'not JSON'],
    [JSON.stringify({ choices: [], usage }), 'no choice'],
    [JSON.stringify({ choices: [{ finish_reason: null }], usage }), 'a choice has not finished'],
    [JSON.stringify({ choices: [{ finish_reason: 'stop' }] }), 'no usage'],
  ])('refuses %s', (text, reason) => {
    expect(judgeJson(text)).toEqual({ kind: 'broken', reason });
  });
});

describe('judgeStream', () => {
  it('takes a whole stream, with comments between events', () => {
    expect(judgeStream(`${word}: ping\n\n${finish}${done}`, 'not-asked')).toEqual({
      kind: 'whole',
      tokens: undefined,
    });
    expect(judgeStream(word + finish + told + done, 'asked')).toEqual({ kind: 'whole', tokens });
    expect(judgeStream(word + finish + told + done, 'any').kind).toBe('whole');
    expect(judgeStream(word + finish + done, 'any').kind).toBe('whole');
  });

  it.each([
    [word + finish, '[DONE] is not the end'],
    [done + word + finish, '[DONE] is not the end'],
    [word + finish + done + done, '[DONE] is not the end'],
    [word + finish + done.trimEnd(), 'ends inside an event'],
    [`${word}data: {"choices\n\n${finish}${done}`, 'an event is not JSON'],
    [`${word}half a line\n\n${finish}${done}`, 'an event is not JSON'],
    [word + done, '0 finish reasons'],
    [finish + finish + done, '2 finish reasons'],
    [word + finish + told + done, 'usage that was not asked for'],
    [event({ error: { message: 'the node stopped' } }) + done, 'an error event'],
  ])('refuses %j', (text, reason) => {
    expect(judgeStream(text, 'not-asked')).toEqual({ kind: 'broken', reason });
  });

  it('misses the usage event that was asked for', () => {
    expect(judgeStream(word + finish + done, 'asked').kind).toBe('broken');
  });
});
