/** `npm run bench:sealing`: what sealing costs its caller, in processor time and in time to the first token. */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import OpenAI from 'openai';
import { z } from 'zod';
import { blake2b256 } from '../chain/blake2b.ts';
import { keyOfSeed } from '../chain/keystore.ts';
import { createStreamSealer, sealResponse } from '../confidential/answer-sealing.ts';
import { createDeferredSigner } from '../confidential/client/deferred-signer.ts';
import { type Streams, sealedFetch } from '../confidential/client/sealed-fetch.ts';
import { createKeyPair } from '../confidential/keys.ts';
import { sealRequest } from '../confidential/request.ts';
import { openResponse } from '../confidential/response.ts';
import { createStreamReader } from '../confidential/stream.ts';
import { stackSmallId } from '../domain/chain-ids.ts';
import { say } from './env.ts';
import { inMs, tableOf } from './report.ts';
import { type Stand, withStand } from './stand.ts';
import { median } from './statistics.ts';

const kib = 1024;
const sizesKib = [1, 16, 256];
const repeats = 15;
const eventBytes = 200;
const events = 20;
const tokens = 30;
const tokensPerSecond = 100;
const firstTokenMs = 20;
const warmUps = 5;

const node = createKeyPair(randomBytes);
const key = keyOfSeed(blake2b256('node'));

/** The median of a few runs, after one that does not count. */
function timeMs(run: () => void): number {
  run();
  return median(
    Array.from({ length: repeats }, () => {
      const start = performance.now();
      run();
      return performance.now() - start;
    }),
  );
}

function seal(bytes: number) {
  const clear = { stackSmallId: stackSmallId(1n), modelName: 'm', stream: false };
  const plaintext = randomBytes(bytes);
  const request = {
    plaintext,
    nodePublicKey: node.publicKey,
    ...clear,
    numComputeUnits: undefined,
  };
  const sealed = sealRequest(request, randomBytes);
  if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
  return sealed;
}

function costRows(): string[][] {
  const rows = sizesKib.map((size) => {
    const { cipher } = seal(1);
    const plaintext = randomBytes(size * kib);
    const answer = sealResponse({ plaintext, usage: undefined }, { cipher, key, randomBytes });
    const sealing = timeMs(() => seal(size * kib));
    const opening = timeMs(() => openResponse(answer, cipher));
    const perKib = ((sealing + opening) * 1000) / (2 * size);
    return [`${size} KiB`, inMs(sealing), inMs(opening), perKib.toFixed(0)];
  });
  return [['size', 'seal a request', 'open an answer', 'µs a KiB, mean of both'], ...rows];
}

async function eventMs(): Promise<number> {
  const { cipher } = seal(1);
  const sealer = createStreamSealer({ cipher, key, nonces: 'numbered', randomBytes });
  const sealed = Array.from({ length: repeats * events }, () =>
    sealer.seal({ plaintext: randomBytes(eventBytes), usage: undefined }),
  );
  const signer = createDeferredSigner();
  const reader = createStreamReader(cipher, signer.signerOf);
  const taken: number[] = [];
  for (const event of sealed) {
    const start = performance.now();
    reader.open(event);
    await signer.isProven();
    taken.push(performance.now() - start);
  }
  return median(taken);
}

const ways = ['in clear', 'live-unproven', 'whole'] as const;
type Way = (typeof ways)[number];
type Times = { readonly firstMs: number; readonly lastMs: number };

function clientOf(stand: Stand, apiKey: string, way: Way): OpenAI {
  const baseURL = `${stand.gateway.baseUrl}/v1`;
  const streams: Streams | undefined = way === 'in clear' ? undefined : way;
  const sealing = streams && { fetch: sealedFetch({ trust: { kind: 'lock' }, streams }) };
  return new OpenAI({ baseURL, apiKey, maxRetries: 0, ...sealing });
}

async function askOnce(client: OpenAI, model: string): Promise<Times> {
  const start = performance.now();
  const stream = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: 'Say a hundred words about the sea. '.repeat(20) }],
    max_tokens: tokens,
    stream: true,
  });
  let firstMs = 0;
  for await (const { choices } of stream) {
    const isText = (choices[0]?.delta.content ?? '') !== '';
    if (isText && firstMs === 0) firstMs = performance.now() - start;
  }
  return { firstMs, lastMs: performance.now() - start };
}

const network = z.object({
  nodes: z.array(
    z.object({
      id: z.string(),
      protocol: z.string(),
      models: z.array(z.object({ id: z.string() })),
    }),
  ),
});

/** A model that Atoma nodes serve, all of them at the same pace. */
async function pacedModel(stand: Stand): Promise<string> {
  const { nodes } = network.parse(await (await fetch(`${stand.nodesUrl}/network`)).json());
  for (const { id } of nodes) {
    const body = JSON.stringify({ firstTokenMs, tokensPerSecond, replyTokens: tokens });
    await fetch(`${stand.nodesUrl}/nodes/${id}/pace`, { method: 'PUT', body });
  }
  const model = nodes.find(({ protocol }) => protocol === 'atoma')?.models[0]?.id;
  if (model === undefined) throw new Error('no node opens sealed requests');
  return model;
}

async function measure(stand: Stand, requests: number): Promise<string[][]> {
  const { apiKey } = await stand.openAccount('sealing');
  const model = await pacedModel(stand);
  const times = new Map<Way, Times[]>(ways.map((way) => [way, []]));
  for (let request = -warmUps; request < requests; request += 1) {
    // In turns, so that a busy machine slows all alike.
    for (const way of ways) {
      const taken = await askOnce(clientOf(stand, apiKey, way), model);
      if (request >= 0) times.get(way)?.push(taken);
    }
  }
  const of = (way: Way, which: keyof Times) =>
    median((times.get(way) ?? []).map((taken) => taken[which]));
  const added = (way: Way, which: keyof Times) =>
    `${inMs(of(way, which))} (+ ${inMs(of(way, which) - of('in clear', which))})`;
  return [
    [`${tokens} tokens, ${tokensPerSecond} a second`, 'first token', 'last token'],
    ...ways.map((way) => [way, added(way, 'firstMs'), added(way, 'lastMs')]),
  ];
}

const options = new Command('bench:sealing')
  .description('Measures what sealing costs: processor time, and time through a real gateway.')
  .option('--requests <count>', 'streams of each kind', '60')
  .parse()
  .opts();
const { requests } = z.object({ requests: z.coerce.number().int().min(1) }).parse(options);

const printed = await withStand({ nodes: { kind: 'devnet' }, envoyConcurrency: 2 }, (stand) =>
  measure(stand, requests),
);
for (const line of [...tableOf(costRows()), '']) say(line);
say(`an event of ${eventBytes} bytes: opened and proven in ${inMs(await eventMs())}`);
for (const line of ['', ...tableOf(printed)]) say(line);
