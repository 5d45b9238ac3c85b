import { describe, expect, it } from 'vitest';
import { estimateUnits } from './atoma-estimate.ts';

const text = 'Hello from the other side of Mars';
const message = (content: unknown) => ({ role: 'user', content });
const part = { type: 'text', text };
const image = { type: 'image_url', image_url: { url: 'x' } };
const chat = (messages: unknown[], limit: object = { max_tokens: 10 }) => {
  const estimate = estimateUnits('chat', { messages, ...limit });
  return estimate.kind === 'estimate' ? estimate.units : 400;
};

describe('estimateUnits', () => {
  it('agrees with the published estimates of chats', () => {
    expect(chat([message(text)])).toBe(21);
    expect(chat([message(text), message(text)])).toBe(32);
    expect(chat([message([part, part])])).toBe(32);
    expect(chat([message('')])).toBe(14);
    expect(chat([message(text), message([part, image, part])], { max_tokens: 15 })).toBe(48);
    expect(chat([{ role: 'user' }])).toBe(400);
    expect(chat([message([])])).toBe(400);
  });

  it('lets a limit that is no count hide the other one', () => {
    expect(chat([message('')], { max_completion_tokens: null, max_tokens: 5 })).toBe(8196);
    expect(chat([message('')], { max_completion_tokens: 7, max_tokens: 5 })).toBe(11);
  });

  it('asks only for the output of completions, the input of embeddings, the pixels of pictures', () => {
    expect(estimateUnits('completions', { prompt: text, max_tokens: 4 })).toMatchObject({
      units: 4,
      inputUnits: 8,
    });
    expect(estimateUnits('embeddings', { input: [text, text, 7] })).toMatchObject({ units: 16 });
    expect(estimateUnits('images', { n: 2, size: '10x20' })).toMatchObject({ units: 400 });
    expect(estimateUnits('images', { n: 2 }).kind).toBe('no-estimate');
  });
});
