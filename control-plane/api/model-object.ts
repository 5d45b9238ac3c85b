/** A model as clients see it: the fields of OpenAI and those that OpenRouter adds for prices and sizes. */
import { type Endpoint, generatesText, type Model } from '../../domain/model.ts';
import { formatUsd } from '../../domain/money.ts';
import type { Price } from '../../domain/price.ts';

/** What can be called, hence has a price. */
export type PricedModel = Model & { readonly price: Price };

export const isPriced = (model: Model): model is PricedModel => model.price !== undefined;

const outputs = {
  chat: 'text',
  completions: 'text',
  embeddings: 'embeddings',
  images: 'image',
} as const satisfies Record<Endpoint, string>;

const samplingParameters = [
  'frequency_penalty',
  'logprobs',
  'max_tokens',
  'presence_penalty',
  'seed',
  'stop',
  'temperature',
  'top_p',
];
const chatParameters = ['response_format', 'tool_choice', 'tools', 'top_logprobs'];

/** Prices are decimal strings in USD per token or picture, and exact. */
export function toModelObject(model: PricedModel) {
  const { price } = model;
  const outputModalities = [...new Set(model.endpoints.map((endpoint) => outputs[endpoint]))];
  return {
    id: model.id,
    object: 'model',
    created: model.createdSeconds,
    owned_by: model.ownedBy,
    canonical_slug: model.id,
    name: model.id,
    context_length: model.contextTokensMax,
    architecture: {
      modality: `text->${outputModalities.join('+')}`,
      input_modalities: ['text'],
      output_modalities: outputModalities,
    },
    pricing: {
      prompt: formatUsd(price.inputToken),
      completion: formatUsd(price.outputToken),
      request: '0',
      image: formatUsd(price.image),
      image_pixel: formatUsd(price.imagePixel),
      input_cache_read: formatUsd(price.cachedInputToken),
    },
    top_provider: {
      context_length: model.contextTokensMax,
      max_completion_tokens: model.outputTokensMax,
      is_moderated: false,
    },
    per_request_limits: null,
    supported_parameters: parametersOf(model.endpoints),
  };
}

/** What the gateway hands on to nodes and every common server knows; a node may know more. */
function parametersOf(endpoints: readonly Endpoint[]): readonly string[] {
  const isText = endpoints.some(generatesText);
  return [
    ...(isText ? samplingParameters : []),
    ...(endpoints.includes('chat') ? chatParameters : []),
  ].sort();
}
