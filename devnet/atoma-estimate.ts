/** The compute units that an Atoma node asks of a stack before it works (node protocol, section 7). */
import { z } from 'zod';
import type { Endpoint } from '../domain/model.ts';
import { countTokens } from './tokens.ts';

const outputTokensDefault = 8192;
const messageTokens = 3;

export type Estimate = {
  readonly kind: 'estimate';
  /** Asked of the stack. */
  readonly units: number;
  /** The part for the prompt, which the node takes off again when it settles. */
  readonly inputUnits: number;
};

export type NoEstimate = { readonly kind: 'no-estimate'; readonly message: string };

const parts = z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).min(1);
const chat = z.looseObject({
  messages: z.array(z.looseObject({ content: z.union([z.string(), parts]) })),
});
const completion = z.looseObject({
  prompt: z.union([z.string(), z.array(z.union([z.string(), z.int(), z.array(z.int())]))]),
});
const embeddings = z.looseObject({ input: z.union([z.string(), z.array(z.unknown())]) });
const images = z.looseObject({
  n: z.int().min(0),
  size: z.string().regex(/^\d+x\d+$/),
});

/** The estimate for a body, or what is missing in it. */
export function estimateUnits(
  endpoint: Endpoint,
  json: Readonly<Record<string, unknown>>,
): Estimate | NoEstimate {
  switch (endpoint) {
    case 'chat': {
      const input = chatTokens(json);
      if (input === undefined) return missing('messages');
      return { kind: 'estimate', units: input + outputTokens(json), inputUnits: input };
    }
    case 'completions': {
      const body = completion.safeParse(json);
      if (!body.success) return missing('prompt');
      const inputUnits = promptTokens(body.data.prompt);
      return { kind: 'estimate', units: outputTokens(json), inputUnits };
    }
    case 'embeddings': {
      const body = embeddings.safeParse(json);
      if (!body.success) return missing('input');
      const units = [body.data.input]
        .flat()
        .reduce<number>((sum, item) => sum + textTokens(item), 0);
      return { kind: 'estimate', units, inputUnits: units };
    }
    case 'images': {
      const body = images.safeParse(json);
      if (!body.success) return missing('n or size');
      const [width = 0, height = 0] = body.data.size.split('x').map(Number);
      return { kind: 'estimate', units: body.data.n * width * height, inputUnits: 0 };
    }
  }
}

const missing = (name: string): NoEstimate => ({
  kind: 'no-estimate',
  message: `Missing or invalid field: ${name}`,
});

const textTokens = (item: unknown) => (typeof item === 'string' ? countTokens(item) : 0);

function promptTokens(prompt: z.infer<typeof completion>['prompt']): number {
  return [prompt].flat().reduce<number>((sum, item) => {
    if (typeof item === 'string') return sum + countTokens(item);
    return sum + (typeof item === 'number' ? 1 : item.length);
  }, 0);
}

function chatTokens(json: Readonly<Record<string, unknown>>): number | undefined {
  const body = chat.safeParse(json);
  if (!body.success) return undefined;
  const all = body.data.messages.flatMap(({ content }) =>
    typeof content === 'string' ? [{ type: 'text', text: content }] : content,
  );
  if (all.some((part) => partTokens(part) === undefined)) return undefined;
  return all.reduce((sum, part) => sum + (partTokens(part) ?? 0), 0);
}

/** Tokens of a part; nothing where the node knows no such part. */
function partTokens({ type, text }: z.infer<typeof parts>[number]): number | undefined {
  if (type === 'text' && text !== undefined) return countTokens(text) + messageTokens;
  return type === 'image_url' ? 0 : undefined;
}

/** A limit that is present but no unsigned integer counts as absent and hides the other one. */
function outputTokens(json: Readonly<Record<string, unknown>>): number {
  const limit = 'max_completion_tokens' in json ? json.max_completion_tokens : json.max_tokens;
  const isCount = typeof limit === 'number' && Number.isInteger(limit) && limit >= 0;
  return isCount ? limit : outputTokensDefault;
}
