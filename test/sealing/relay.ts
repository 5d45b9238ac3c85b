/**
 * Locks and carries sealed requests to stand-in nodes, as the gateway does, over real HTTP; a test can change whatever passes
 * in either direction.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import OpenAI from 'openai';
import { blake2b256 } from '../../chain/blake2b.ts';
import { keyOfSeed } from '../../chain/keystore.ts';
import { signHash } from '../../chain/request-signature.ts';
import type { NoncePolicy } from '../../confidential/answer-sealing.ts';

import { parseBase64 } from '../../confidential/base64.ts';
import { type SealedFetchOptions, sealedFetch } from '../../confidential/client/sealed-fetch.ts';
import { type AtomaNodeHandle, createAtomaNode } from '../../devnet/atoma-node.ts';
import { listenOn } from '../../devnet/listening.ts';
import type { ServedModel } from '../../devnet/served-model.ts';

export const chatModel = 'acme/chat-1';
export const embeddingModel = 'acme/embed-1';
export const imageModel = 'acme/paint-1';
export const nodeSmallId = 7;
const stack = 3;
const host = '127.0.0.1';
const owner = keyOfSeed(blake2b256('stack owner'));
const contextTokens = 32_768;
const models: readonly ServedModel[] = [
  { id: chatModel, endpoints: ['chat', 'completions'], contextTokens },
  { id: embeddingModel, endpoints: ['embeddings'], contextTokens },
  { id: imageModel, endpoints: ['images'], contextTokens },
];

/** What a middleman makes of what passes; each thing passes as it is unless changed. */
type Middleman = {
  lock?(lock: Record<string, unknown>): Record<string, unknown>;
  envelope?(body: string): string;
  path?(path: string): string;
  /** The body of a whole answer, or the bytes of a stream. */
  answer?(bytes: Buffer): Buffer;
  /** In place of the node: a status and a body. */
  instead?: { readonly status: number; readonly body: string } | undefined;
  /** What a browser is shown at `/page`, on the relay's own origin. */
  page?: string;
  /** What the page says to `/shown`. */
  shown?(text: string): void;
};

export type Relay = {
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  readonly node: AtomaNodeHandle;
  /** Bodies of sealed requests as they came, and their paths. */
  readonly carried: { readonly path: string; readonly body: string }[];
  /** How often a node was locked. */
  locks(): number;
  setMiddleman(middleman: Middleman): void;
  close(): Promise<void>;
};

/** Starts one node and the relay before it. */
export async function startRelay(options: { readonly nonces?: NoncePolicy } = {}): Promise<Relay> {
  const node = await createAtomaNode({
    id: 'sealed',
    models,
    stacks: [{ id: String(stack), owner: owner.address, units: 1_000_000_000 }],
    nonces: options.nonces ?? 'numbered',
  });
  const state = { middleman: {} as Middleman, locks: 0 };
  const carried: { path: string; body: string }[] = [];
  const server = createServer((request, response) => {
    void respond(request, response).catch(() => response.destroy());
  });

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    const path = request.url ?? '';
    if (path === '/page') return void response.end(state.middleman.page);
    if (path === '/shown') {
      state.middleman.shown?.(body);
      return void response.end();
    }
    if (path === '/v1/models') return sendJson(response, { object: 'list', data: models });
    if (path === '/v1/nodes/lock') {
      state.locks += 1;
      return sendJson(response, lockOf(node, state.middleman));
    }
    carried.push({ path, body });
    const { instead } = state.middleman;
    if (instead) return void response.writeHead(instead.status).end(instead.body);
    await carry({ response, path, body: state.middleman.envelope?.(body) ?? body });
  }

  async function carry(exchange: { response: ServerResponse; path: string; body: string }) {
    const { response, body } = exchange;
    const path = state.middleman.path?.(exchange.path) ?? exchange.path;
    const left = new AbortController();
    response.on('close', () => left.abort());
    const answer = await fetch(`${node.url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': randomUUID(),
        'x-signature': signHash(owner, hashIn(body)),
      },
      body,
      signal: left.signal,
    });
    response.writeHead(answer.status, {
      'content-type': answer.headers.get('content-type') ?? '',
      'x-request-id': randomUUID(),
    });
    if (state.middleman.answer) {
      response.end(state.middleman.answer(Buffer.from(await answer.arrayBuffer())));
      return;
    }
    for await (const piece of answer.body ?? []) response.write(piece);
    response.end();
  }

  const listening = await listenOn(server, { host, port: 0 });
  return {
    baseUrl: `${listening.url}/v1`,
    node,
    carried,
    locks: () => state.locks,
    setMiddleman(middleman) {
      state.middleman = middleman;
    },
    async close() {
      await listening.close();
      await node.close();
    },
  };
}

function lockOf(node: AtomaNodeHandle, middleman: Middleman): Record<string, unknown> {
  const lock = {
    public_key: node.sealingKey(),
    node_small_id: nodeSmallId,
    stack_small_id: stack,
    stack_entry_digest: null,
  };
  return middleman.lock?.(lock) ?? lock;
}

/** The SDK through the relay; trusts the lock unless told otherwise. */
export const sealedClient = (relay: Relay, options: Partial<SealedFetchOptions> = {}) =>
  new OpenAI({
    baseURL: relay.baseUrl,
    apiKey: 'sk-test',
    maxRetries: 0,
    fetch: sealedFetch({ trust: { kind: 'lock' }, ...options }),
  });

/** What the gateway signs; a middleman's envelope may name none. */
function hashIn(body: string): Uint8Array {
  const hash = /"plaintext_body_hash":"([^"]*)"/.exec(body)?.[1] ?? '';
  return parseBase64(hash) ?? new Uint8Array(32);
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of request) text += String(piece);
  return text;
}

function sendJson(response: ServerResponse, json: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}
