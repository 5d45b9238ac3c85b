/** Bodies of answers: read within a limit, and made of parts that are proven one by one. */

/** Pieces of a response's body. */
export type BodyReader = ReadableStreamDefaultReader<Uint8Array>;

/** The whole text; nothing where it is larger than the limit or not UTF-8. */
export async function readText(reader: BodyReader, bytesMax: number): Promise<string | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return decode(joined(pieces, bytes));
    bytes += value.length;
    if (bytes > bytesMax) return undefined;
    pieces.push(value);
  }
}

function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();

/** A body of the parts, made as they are read; `ended` is called however it ends, at least once. */
export function bodyOf(
  parts: AsyncGenerator<string>,
  ended: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next();
          if (!done) {
            controller.enqueue(encoder.encode(value));
            return;
          }
          ended();
          controller.close();
        } catch (cause) {
          ended();
          throw cause;
        }
      },
      cancel: ended,
    },
    // Nothing is read ahead of the caller.
    { highWaterMark: 0 },
  );
}
