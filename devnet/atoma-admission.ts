/** What an Atoma node checks before it works, in its order (node protocol, section 5). */
import { blake2b256 } from '../chain/blake2b.ts';
import { signerOf } from '../chain/request-signature.ts';
import type { ExchangeCipher } from '../confidential/cipher.ts';
import type { KeyPair } from '../confidential/keys.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { type JsonObject, parseObject } from '../domain/json.ts';
import { openSealed } from './atoma-confidential.ts';
import { extractorError, type Refused, refuse } from './atoma-errors.ts';
import { type Estimate, estimateUnits } from './atoma-estimate.ts';
import type { NodeRequest } from './node-server.ts';
import { type InferenceRequest, readRequest } from './requests.ts';
import type { ServedModel } from './served-model.ts';
import type { Hold, Stacks } from './stacks.ts';

const extractorBytesMax = 2 * 1024 * 1024;
const signatureBytesMin = 97;

export type Admission = {
  readonly kind: 'admitted';
  readonly parsed: InferenceRequest;
  readonly isStream: boolean;
  readonly estimate: Estimate;
  readonly hold: Hold & { kind: 'held' };
  /** Seals the answer to a sealed request. */
  readonly cipher: ExchangeCipher | undefined;
};

export type AdmissionContext = {
  readonly models: readonly ServedModel[];
  readonly stacks: Stacks;
  readonly isOverloaded: boolean;
  /** The pair to which requests are sealed at present. */
  readonly pair: KeyPair;
};

/** Holds the units of the request, or says why not. */
export function admit(request: NodeRequest, context: AdmissionContext): Admission | Refused {
  const signed = request.isSealed ? openSigned(request, context.pair) : checkSignature(request);
  if (signed.kind === 'refused') return signed;
  const admission = admitSigned(request, { context, signed });
  if (admission.kind === 'refused') signed.cipher?.erase();
  return admission;
}

function admitSigned(
  request: NodeRequest,
  { context, signed }: { context: AdmissionContext; signed: Signed },
): Admission | Refused {
  const model = context.models.find(({ id }) => id === signed.json.model);
  if (!model) return refuse('invalidBody', 'Model not supported');
  if (context.isOverloaded) return refuse('overloaded', 'The service is overloaded');
  const estimate = request.isSealed ? nothing : estimateUnits(request.endpoint, signed.json);
  if (estimate.kind === 'no-estimate') return refuse('invalidBody', estimate.message);
  const held = holdUnits(signed, { stacks: context.stacks, estimate });
  if (held.kind === 'refused') return held;
  // From here on a refusal leaves the units held: the node never gives them back.
  return read(request, { signed, model, estimate, hold: held });
}

/** The node does not recognise the paths of sealed requests, and asks for no units. */
const nothing: Estimate = { kind: 'estimate', units: 0, inputUnits: 0 };

type Signed = {
  readonly kind: 'signed';
  readonly json: JsonObject;
  readonly bodyBytes: number;
  readonly signer: string;
  /** As the header says it; a sealed request says it in its envelope. */
  readonly stack: string | undefined;
  readonly cipher: ExchangeCipher | undefined;
};

function checkSignature(request: NodeRequest): Signed | Refused {
  const signature = request.header('x-signature');
  if (signature === undefined) return refuse('missingHeader', 'Missing header: X-Signature');
  if (Buffer.from(signature, 'base64').length < signatureBytesMin) {
    return refuse('invalidHeader', 'Invalid header: X-Signature');
  }
  const json = parseObject(request.body);
  const canonical = json && canonicalOf(request.body);
  if (!json || canonical === undefined)
    return refuse('invalidBody', 'The body is not a JSON object');
  const signer = signerOf(blake2b256(canonical), signature);
  if (signer === undefined) return refuse('auth', 'The signature is not valid');
  return {
    kind: 'signed',
    json,
    bodyBytes: request.bytes.length,
    signer,
    stack: request.header('x-stack-small-id'),
    cipher: undefined,
  };
}

function openSigned(request: NodeRequest, pair: KeyPair): Signed | Refused {
  const opened = openSealed(request, pair);
  if (opened.kind === 'refused') return opened;
  const { plaintext, signer, stack, cipher } = opened;
  const json = parseObject(Buffer.from(plaintext).toString());
  if (!json) {
    cipher.erase();
    return refuse('invalidBody', 'The body is not a JSON object');
  }
  return { kind: 'signed', json, bodyBytes: plaintext.length, signer, stack, cipher };
}

function canonicalOf(text: string): string | undefined {
  try {
    return canonicalJson(text);
  } catch {
    return undefined;
  }
}

function holdUnits(
  { stack: id, signer }: Signed,
  options: { stacks: Stacks; estimate: Estimate },
): (Hold & { kind: 'held' }) | Refused {
  const { stacks, estimate } = options;
  // Without a stack the node would bill in fiat, which these nodes offer to nobody.
  if (id === undefined) return refuse('missingHeader', 'Missing header: X-Stack-Small-Id');
  if (!/^-?\d{1,19}$/.test(id)) return refuse('invalidHeader', 'Invalid header: X-Stack-Small-Id');
  const hold = stacks.hold({ id, signer, units: estimate.units });
  switch (hold.kind) {
    case 'held':
      return hold;
    case 'unknown':
      return refuse('invalidHeader', 'Unknown stack, and no X-Tx-Digest');
    case 'locked':
      return refuse('lockedStack', `Stack ${id} is locked`);
    case 'too-few':
      return refuse('unavailableStack', `Stack ${id} has too few units`);
  }
}

function read(
  request: NodeRequest,
  options: {
    signed: Signed;
    model: ServedModel;
    estimate: Estimate;
    hold: Hold & { kind: 'held' };
  },
): Admission | Refused {
  const { signed, model, estimate, hold } = options;
  const extractor = (status: 413 | 415 | 422, text: string): Refused => ({
    kind: 'refused',
    answer: extractorError(status, text),
  });
  if (!/^application\/([\w.-]+\+)?json\b/i.test(request.header('content-type') ?? '')) {
    return extractor(415, 'Expected request with `Content-Type: application/json`');
  }
  if (signed.bodyBytes > extractorBytesMax) {
    return extractor(413, 'Failed to buffer the request body: length limit exceeded');
  }
  const parsed = readRequest(request.endpoint, signed.json);
  if (parsed.kind === 'unreadable') return extractor(422, parsed.message);
  if (isTooLong(parsed, model)) {
    const isText = parsed.kind === 'chat' || parsed.kind === 'completions';
    return refuse(isText ? 'internal' : 'invalidBody', 'The input is too long for the model');
  }
  const isStream = 'stream' in parsed && parsed.stream;
  return { kind: 'admitted', parsed, isStream, estimate, hold, cipher: signed.cipher };
}

function isTooLong(parsed: InferenceRequest, model: ServedModel): boolean {
  if (parsed.kind === 'images') return false;
  const output = 'outputTokensMax' in parsed ? (parsed.outputTokensMax ?? 0) : 0;
  return parsed.inputTokens + output > model.contextTokens;
}
