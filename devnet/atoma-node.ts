/** A stand-in for an Atoma node: it demands a signed body and a prepaid stack, and signs what it answers. */
import { randomBytes as systemRandomBytes } from 'node:crypto';
import { blake2b256 } from '../chain/blake2b.ts';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from '../chain/keystore.ts';
import type { NoncePolicy } from '../confidential/answer-sealing.ts';
import { toBase64 } from '../confidential/base64.ts';
import { createKeyPair, eraseKeyPair, type RandomBytes } from '../confidential/keys.ts';
import { type Answer, bodyAnswer } from './answer.ts';
import { admit } from './atoma-admission.ts';
import { erasing } from './atoma-confidential.ts';
import { atomaError, atomaErrorBody } from './atoma-errors.ts';
import { plainPrinter, sealedPrinter } from './atoma-printer.ts';
import { createStreamStops, signedAnswer } from './atoma-reply.ts';
import { type NodeHandle, type NodeServerOptions, startNodeServer } from './node-server.ts';
import type { ServedModel } from './served-model.ts';
import { createStacks, type StackGrant, type Stacks } from './stacks.ts';

export type AtomaNodeOptions = NodeServerOptions & {
  readonly models: readonly ServedModel[];
  readonly stacks: readonly StackGrant[];
  /** Signs the answers; made of the node's id unless given. */
  readonly keystoreEntry?: string;
  /** Silence after which a stream carries a comment; 0 for none. */
  readonly keepAliveMs?: number;
  /** Requests at the same time; more are answered 429. */
  readonly parallelMax?: number;
  /** Nonces of sealed streams; `shared`, as the published node takes them, unless given. */
  readonly nonces?: NoncePolicy;
  /** For the pairs, and for the nonces of answers. */
  readonly randomBytes?: RandomBytes;
};

export type AtomaNodeHandle = NodeHandle & {
  readonly signerAddress: string;
  stacks(): ReturnType<Stacks['list']>;
  sellStack(grant: StackGrant): void;
  /** Closes a stack as a settlement on chain does: further requests for it are answered 423. */
  lockStack(id: string): void;
  /** The X25519 key to which requests are sealed at present, in base64; it has no other life than this process. */
  sealingKey(): string;
  /** Takes a new pair; requests that were sealed to the old one fail, with no grace. */
  rotateSealingKey(): void;
};

// The real node means seconds and uses milliseconds.
const keepAliveMsDefault = 15;

/** Starts the node. */
export async function createAtomaNode(options: AtomaNodeOptions): Promise<AtomaNodeHandle> {
  const { models, keepAliveMs = keepAliveMsDefault, parallelMax = 100_000 } = options;
  const { nowMs = Date.now, nonces = 'shared', randomBytes = systemRandomBytes } = options;
  const key = signingKeyOf(options);
  let pair = createKeyPair(randomBytes);
  const stacks = createStacks(options.stacks);
  const stops = createStreamStops();
  let open = 0;

  const node = await startNodeServer(options, {
    opensSealed: true,
    errorBody: atomaErrorBody,
    openChanged(now) {
      open = now;
    },
    page({ method, path, requestId }) {
      if (method === 'POST' && path === '/v1/stop-streamer') {
        stops.stop(requestId);
        return bodyAnswer({ status: 200, body: '"OK"' });
      }
      return method === 'GET' ? pageOf(path, open) : undefined;
    },
    answer(request) {
      const isOverloaded = open > parallelMax;
      const admission = admit(request, { models, stacks, isOverloaded, pair });
      if (admission.kind === 'refused') return admission.answer;
      const { requestId } = request;
      const { cipher } = admission;
      if (admission.isStream && requestId === '') {
        cipher?.erase();
        return atomaError('internal', 'A stream needs X-Request-Id.');
      }
      const printer = cipher
        ? sealedPrinter({ cipher, key, nonces, randomBytes })
        : plainPrinter(key);
      const answer = signedAnswer({
        admission,
        request,
        identity: { requestId, createdSeconds: Math.floor(nowMs() / 1000) },
        printer,
        keepAliveMs,
        stacks,
        stops,
      });
      return cipher ? erasing(answer, cipher) : answer;
    },
  });

  // The node's accessors must stay live, so it is extended in place.
  return Object.assign(node, {
    signerAddress: key.address,
    stacks: stacks.list,
    sellStack: stacks.add,
    lockStack: stacks.lock,
    sealingKey: () => toBase64(pair.publicKey),
    rotateSealingKey() {
      eraseKeyPair(pair);
      pair = createKeyPair(randomBytes);
    },
  });
}

/** The key of a node that is given none: the same for the same id. */
export const keystoreEntryOf = (id: string): string => toKeystoreEntry(blake2b256(id));

function signingKeyOf(options: AtomaNodeOptions): SigningKey {
  const entry = options.keystoreEntry ?? keystoreEntryOf(options.id);
  const key = parseKeystoreEntry(entry);
  if (!key) throw new Error(`node ${options.id}: the keystore entry is not an Ed25519 one`);
  return key;
}

function pageOf(path: string, open: number): Answer | undefined {
  if (path === '/health') return bodyAnswer({ status: 200, body: '{"status":"ok"}' });
  if (path !== '/metrics') return undefined;
  const body = `# TYPE atoma_num_running_requests gauge\natoma_num_running_requests ${open}\n`;
  return bodyAnswer({ status: 200, body, contentType: 'text/plain; version=0.0.4' });
}
