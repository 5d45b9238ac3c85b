/** The small fleet that most end-to-end tests use: every protocol, every endpoint, no pauses. */
import type { NetworkModelInput, NetworkNodeInput } from '../../devnet/network-schema.ts';

export const chatModel = 'acme/chat-1';
export const plainModel = 'acme/plain-1';
export const embeddingModel = 'acme/embed-1';
export const imageModel = 'acme/paint-1';
/** Served by the node `broken` alone, for tests to set a fault on. */
export const brokenModel = 'acme/broken-1';

const chat = {
  endpoints: ['chat', 'completions'] as ('chat' | 'completions')[],
  context_tokens: 32_768,
  output_tokens_max: 4096,
  media_tokens_max: 1024,
  owned_by: 'acme',
  created: 1_735_689_600,
  price: { input: '0.5', cached_input: '0.25', output: '1.5' },
};

export const models: readonly NetworkModelInput[] = [
  { ...chat, id: chatModel },
  { ...chat, id: plainModel },
  { ...chat, id: brokenModel },
  {
    ...chat,
    id: embeddingModel,
    endpoints: ['embeddings'],
    output_tokens_max: 0,
    price: { input: '0.02', cached_input: '0.02' },
  },
  {
    ...chat,
    id: imageModel,
    endpoints: ['images'],
    output_tokens_max: 0,
    price: { image: '0.01', image_pixel: '0.001' },
  },
];

/** The chat model stands on nodes of both protocols. */
export const nodes: readonly NetworkNodeInput[] = [
  { id: 'atoma-a', protocol: 'atoma', models: [chatModel] },
  { id: 'atoma-b', protocol: 'atoma', models: [chatModel] },
  { id: 'plain-a', protocol: 'openai', models: [plainModel] },
  { id: 'plain-b', protocol: 'openai', models: [plainModel] },
  { id: 'broken', protocol: 'openai', models: [brokenModel] },
  { id: 'embed', protocol: 'openai', models: [embeddingModel] },
  { id: 'paint', protocol: 'openai', models: [imageModel] },
];
