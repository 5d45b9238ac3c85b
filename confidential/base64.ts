/** Standard base64 with padding (RFC 4648, section 4), in its one canonical form: all that the wire format takes and sends. */

/** Prints bytes. */
export const toBase64 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** Reads bytes; nothing where the text has another alphabet, no padding, white space, or stray bits at its end. */
export function parseBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  // Node's reader forgives nearly everything: printed anew, what it forgave shows.
  return bytes.toString('base64') === text ? bytes : undefined;
}
