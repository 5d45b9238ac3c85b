/** A client of sealed requests, as the network's SDKs are: lock, seal, send at once, open. */
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { z } from 'zod';
import type { ExchangeCipher } from '../../confidential/cipher.ts';
import { sealRequest } from '../../confidential/request.ts';
import { openResponse } from '../../confidential/response.ts';
import { createStreamReader } from '../../confidential/stream.ts';
import { stackSmallId } from '../../domain/chain-ids.ts';
import { eventsOf } from './chat-request.ts';
import type { TestGateway } from './gateway.ts';
import { type RawAnswer, send } from './raw.ts';

const lockSchema = z.object({
  public_key: z.base64().length(44),
  node_small_id: z.int(),
  stack_small_id: z.int(),
  stack_entry_digest: z.string().nullish(),
});
export type Lock = z.infer<typeof lockSchema>;

export const sealedPaths = {
  chat: '/v1/confidential/chat/completions',
  completions: '/v1/confidential/completions',
  embeddings: '/v1/confidential/embeddings',
  images: '/v1/confidential/images/generations',
} as const;

/** Nothing stands for the gateway's own account. */
export type By = { readonly apiKey?: string };

/** Asks for a lock, whatever comes of it. */
export const askForLock = (gateway: TestGateway, model: string, by: By = {}): Promise<RawAnswer> =>
  send(gateway, { path: '/v1/nodes/lock', body: JSON.stringify({ model }), ...by });

export async function lockNode(gateway: TestGateway, model: string, by: By = {}): Promise<Lock> {
  const answer = await askForLock(gateway, model, by);
  expect(answer).toMatchObject({ status: 200 });
  return lockSchema.parse(JSON.parse(answer.text));
}

export type Sealed = { readonly body: string; readonly cipher: ExchangeCipher };

/** Seals to the locked node. */
export function seal(json: object, lock: Lock, clear: Record<string, unknown> = {}): Sealed {
  const model = 'model' in json && typeof json.model === 'string' ? json.model : '';
  const sealed = sealRequest(
    {
      plaintext: Buffer.from(JSON.stringify(json)),
      nodePublicKey: Buffer.from(lock.public_key, 'base64'),
      stackSmallId: stackSmallId(BigInt(lock.stack_small_id)),
      modelName: model,
      stream: 'stream' in json && json.stream === true,
      numComputeUnits: undefined,
    },
    randomBytes,
  );
  if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
  const body = JSON.stringify({ ...JSON.parse(sealed.body), ...clear });
  return { body, cipher: sealed.cipher };
}

export const sendSealed = (
  gateway: TestGateway,
  { body }: { readonly body: string },
  options: By & { readonly path?: string } = {},
): Promise<RawAnswer> => {
  const { path = sealedPaths.chat, ...by } = options;
  return send(gateway, { path, body, ...by });
};

/** Opens a whole answer. @throws where it is not what the node sealed. */
export function openWhole(answer: RawAnswer, { cipher }: Sealed) {
  expect(answer).toMatchObject({ status: 200 });
  const opened = openResponse(answer.text, cipher);
  if (opened.kind !== 'opened') throw new Error(opened.kind);
  return { ...opened, json: jsonOf(opened.plaintext) };
}

/** Opens every event of a stream. */
export function openStream(text: string, { cipher }: Sealed) {
  const reader = createStreamReader(cipher);
  return eventsOf(text).map((data) => {
    const opened = reader.open(data);
    if (opened.kind !== 'opened') throw new Error(opened.kind);
    return { ...opened, json: jsonOf(opened.plaintext) };
  });
}

const jsonOf = (plaintext: Uint8Array) =>
  z.record(z.string(), z.unknown()).parse(JSON.parse(Buffer.from(plaintext).toString()));
