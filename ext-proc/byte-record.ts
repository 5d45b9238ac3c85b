/** Hashes the bytes of one exchange as they pass, for its receipt; does nothing where none is issued. */
import { createHash, hash } from 'node:crypto';
import type { Exchange } from '../domain/exchange.ts';

export function createByteRecord({ requestHash }: Exchange) {
  const isKept = requestHash !== '';
  const answer = isKept ? createHash('sha256') : undefined;
  let forwardedHash = requestHash;
  let responseBytes = 0;
  let isFinished = false;

  return {
    /** The whole body as it leaves for the node; until told otherwise it is the client's. */
    forward(body: Uint8Array): void {
      if (isKept) forwardedHash = hash('sha256', body, 'hex');
    },
    /** A piece of the answer as it leaves for the client. */
    answer(piece: Uint8Array): void {
      if (!answer || isFinished) return;
      answer.update(piece);
      responseBytes += piece.length;
    },
    /** Once, at the end of the exchange; what comes later is not delivered. */
    finish() {
      isFinished = true;
      if (!answer) return undefined;
      return { requestHash, forwardedHash, responseHash: answer.digest('hex'), responseBytes };
    },
  };
}

export type ByteRecord = ReturnType<typeof createByteRecord>;
export type ByteHashes = NonNullable<ReturnType<ByteRecord['finish']>>;
