/** The most that a sealed request may consume: nothing of it can be read but its length, and what the envelope says in clear. */
import { type Endpoint, generatesText, type Model } from './model.ts';
import type { Usage } from './usage.ts';

export type SealedSize = {
  readonly endpoint: Endpoint;
  readonly plaintextBytes: number;
  /** `num_compute_units`, which SDKs leave out, or fill with the output limit alone. */
  readonly unitsAsked: bigint | undefined;
};

// As in clear a token is at least one byte. Markers of messages, and what templates print around calls and definitions of
// tools, are up to three more for each byte, as far as these nest no deeper than tools do; and there are the preambles.
const tokensPerByte = 4;
const preambleTokensMax = 2048;
/** What one picture, sound or file takes of the body at least. */
const mediaPartBytesMin = 50;
/** OpenAI's default, one square picture; nodes charge nothing for sealed ones. */
const picturePixels = 1024 * 1024;

/**
 * The envelope can raise what the model offers by default, and never lower it: nobody sees what the request asks for. What
 * is used beyond it is not delivered.
 */
export function sealedBoundOf(size: SealedSize, model: Model): Usage {
  const asked = Number(size.unitsAsked ?? 0n);
  const inputTokens = inputBoundOf(size, model);
  const outputTokens = Math.min(Math.max(asked, model.outputTokensMax), model.contextTokensMax);
  const isImages = size.endpoint === 'images';
  return {
    inputTokens: isImages ? 0 : inputTokens,
    cachedInputTokens: isImages ? 0 : inputTokens,
    outputTokens: generatesText(size.endpoint) ? outputTokens : 0,
    images: isImages ? 1 : 0,
    imagePixels: isImages ? picturePixels : 0,
  };
}

function inputBoundOf({ endpoint, plaintextBytes }: SealedSize, model: Model): number {
  const media = Math.ceil(plaintextBytes / mediaPartBytesMin) * model.mediaTokensMax;
  const text = plaintextBytes * tokensPerByte + preambleTokensMax;
  // Each text of a list has a context of its own; a chat has one for all messages.
  return endpoint === 'chat' ? Math.min(text + media, model.contextTokensMax) : text;
}

/** Compute units that the node will count: it charges nothing for sealed embeddings and pictures. */
export function sealedUnitsOf({ inputTokens, outputTokens }: Usage, endpoint: Endpoint): number {
  return generatesText(endpoint) ? inputTokens + outputTokens : 0;
}
