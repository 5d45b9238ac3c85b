/** A stand-in for an Atoma node: it demands a signed body and a prepaid stack, and signs what it answers. */
import { blake2b256 } from '../chain/blake2b.ts';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from '../chain/keystore.ts';
import { type Answer, bodyAnswer } from './answer.ts';
import { admit } from './atoma-admission.ts';
import { atomaError, atomaErrorBody } from './atoma-errors.ts';
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
};

export type AtomaNodeHandle = NodeHandle & {
  readonly signerAddress: string;
  stacks(): ReturnType<Stacks['list']>;
  sellStack(grant: StackGrant): void;
  /** Closes a stack as a settlement on chain does: further requests for it are answered 423. */
  lockStack(id: string): void;
};

// The real node means seconds and uses milliseconds.
const keepAliveMsDefault = 15;

/** Starts the node. */
export async function createAtomaNode(options: AtomaNodeOptions): Promise<AtomaNodeHandle> {
  const { models, keepAliveMs = keepAliveMsDefault, parallelMax = 100_000 } = options;
  const { nowMs = Date.now } = options;
  const key = signingKeyOf(options);
  const stacks = createStacks(options.stacks);
  const stops = createStreamStops();
  let open = 0;

  const node = await startNodeServer(options, {
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
      const admission = admit(request, { models, stacks, isOverloaded });
      if (admission.kind === 'refused') return admission.answer;
      const { requestId } = request;
      if (admission.isStream && requestId === '') {
        return atomaError('internal', 'A stream needs X-Request-Id.');
      }
      return signedAnswer({
        admission,
        request,
        identity: { requestId, createdSeconds: Math.floor(nowMs() / 1000) },
        key,
        keepAliveMs,
        stacks,
        stops,
      });
    },
  });

  // The node's accessors must stay live, so it is extended in place.
  return Object.assign(node, {
    signerAddress: key.address,
    stacks: stacks.list,
    sellStack: stacks.add,
    lockStack: stacks.lock,
  });
}

function signingKeyOf(options: AtomaNodeOptions): SigningKey {
  const entry = options.keystoreEntry ?? toKeystoreEntry(blake2b256(options.id));
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
