/** Standard base64 with padding (RFC 4648, section 4), in its one canonical form: all that the wire format takes and sends. */

// As many arguments as every engine takes at once.
const sliceBytes = 8192;

/** Prints bytes. */
export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    binary += String.fromCharCode(...bytes.subarray(at, at + sliceBytes));
  }
  return btoa(binary);
}

/** Reads bytes; nothing where the text has another alphabet, no padding, white space, or stray bits at its end. */
export function parseBase64(text: string): Uint8Array | undefined {
  const binary = binaryOf(text);
  // The reader forgives white space and missing padding: printed anew, what it forgave shows.
  if (binary === undefined || btoa(binary) !== text) return undefined;
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

function binaryOf(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    return undefined;
  }
}
