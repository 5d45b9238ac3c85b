/** A deterministic tokenizer: words in pieces of at most eight characters, each mark alone, and one token to begin. */

const pieceLengthMax = 8;
const spaceMax = 0x20;

/** Tokens of a text, the token that begins it included; never more than its UTF-8 bytes plus one. */
export function countTokens(text: string): number {
  let tokens = 1;
  let wordLength = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (isWordCode(code)) {
      if (wordLength % pieceLengthMax === 0) tokens += 1;
      wordLength += 1;
    } else {
      if (code > spaceMax) tokens += 1;
      wordLength = 0;
    }
  }
  return tokens;
}

function isWordCode(code: number): boolean {
  const isDigit = code >= 0x30 && code <= 0x39;
  const isUpper = code >= 0x41 && code <= 0x5a;
  const isLower = code >= 0x61 && code <= 0x7a;
  return isDigit || isUpper || isLower || code >= 0x80;
}

/** A number from 0 to 2^32 - 1 that depends on the text's end and length (FNV-1a). */
export function seedOf(text: string): number {
  let hash = 0x811c9dc5 ^ text.length;
  for (let at = Math.max(0, text.length - 1024); at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash >>> 0;
}
