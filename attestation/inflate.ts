/** Decompresses a stranger's zlib stream without ever holding more than was allowed. */
import { createInflate } from 'node:zlib';

/** The whole stream and nothing after it; nothing where it is damaged, goes on, or holds more than `bytesMax`. */
export async function inflateWithin(
  compressed: Uint8Array,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const engine = createInflate();
  const chunks: Uint8Array[] = [];
  let size = 0;
  engine.end(compressed);
  try {
    for await (const chunk of engine) {
      if (!(chunk instanceof Uint8Array)) return undefined;
      size += chunk.length;
      // Leaving the loop destroys the stream, with it what is still to come of a bomb.
      if (size > bytesMax) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  // What the engine did not read stands behind the stream's end.
  return engine.bytesWritten === compressed.length ? Buffer.concat(chunks) : undefined;
}
