/** What an exchange consumed or may consume; counts are safe integers, and cached tokens are part of the input. */
export type Usage = {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly images: number;
  readonly imagePixels: number;
};

export const noUsage: Usage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  images: 0,
  imagePixels: 0,
};

/** A rule of thumb where nobody tells the true count: a token of English text is about four bytes. */
export const bytesPerTokenGuess = 4;
