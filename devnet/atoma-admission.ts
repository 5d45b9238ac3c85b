/** What an Atoma node checks before it works, in its order (node protocol, section 5). */
import { z } from 'zod';
import { blake2b256 } from '../chain/blake2b.ts';
import { signerOf } from '../chain/request-signature.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import type { Answer } from './answer.ts';
import { type AtomaError, atomaError, extractorError } from './atoma-errors.ts';
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
};

export type Refused = { readonly kind: 'refused'; readonly answer: Answer };

export type AdmissionContext = {
  readonly models: readonly ServedModel[];
  readonly stacks: Stacks;
  readonly isOverloaded: boolean;
};

const refuse = (error: AtomaError, message: string): Refused => ({
  kind: 'refused',
  answer: atomaError(error, message),
});

/** Holds the units of the request, or says why not. */
export function admit(request: NodeRequest, context: AdmissionContext): Admission | Refused {
  const signed = checkSignature(request);
  if (signed.kind === 'refused') return signed;
  const model = context.models.find(({ id }) => id === signed.json.model);
  if (!model) return refuse('invalidBody', 'Model not supported');
  if (context.isOverloaded) return refuse('overloaded', 'The service is overloaded');
  const estimate = estimateUnits(request.endpoint, signed.json);
  if (estimate.kind === 'no-estimate') return refuse('invalidBody', estimate.message);
  const held = holdUnits(request, { stacks: context.stacks, signer: signed.signer, estimate });
  if (held.kind === 'refused') return held;
  // From here on a refusal leaves the units held: the node never gives them back.
  return read(request, { json: signed.json, model, estimate, hold: held });
}

type Json = Readonly<Record<string, unknown>>;
type Signed = { readonly kind: 'signed'; readonly json: Json; readonly signer: string };

const jsonObject = z.record(z.string(), z.unknown());

function checkSignature(request: NodeRequest): Signed | Refused {
  const signature = request.header('x-signature');
  if (signature === undefined) return refuse('missingHeader', 'Missing header: X-Signature');
  if (Buffer.from(signature, 'base64').length < signatureBytesMin) {
    return refuse('invalidHeader', 'Invalid header: X-Signature');
  }
  const body = parse(request.body);
  if (!body) return refuse('invalidBody', 'The body is not a JSON object');
  const signer = signerOf(blake2b256(body.canonical), signature);
  if (signer === undefined) return refuse('auth', 'The signature is not valid');
  return { kind: 'signed', json: body.json, signer };
}

function parse(text: string): { json: Json; canonical: string } | undefined {
  try {
    const json = jsonObject.safeParse(JSON.parse(text));
    return json.success ? { json: json.data, canonical: canonicalJson(text) } : undefined;
  } catch {
    return undefined;
  }
}

function holdUnits(
  request: NodeRequest,
  options: { stacks: Stacks; signer: string; estimate: Estimate },
): (Hold & { kind: 'held' }) | Refused {
  const { stacks, signer, estimate } = options;
  const id = request.header('x-stack-small-id');
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
  options: { json: Json; model: ServedModel; estimate: Estimate; hold: Hold & { kind: 'held' } },
): Admission | Refused {
  const { json, model, estimate, hold } = options;
  const extractor = (status: 413 | 415 | 422, text: string): Refused => ({
    kind: 'refused',
    answer: extractorError(status, text),
  });
  if (!/^application\/([\w.-]+\+)?json\b/i.test(request.header('content-type') ?? '')) {
    return extractor(415, 'Expected request with `Content-Type: application/json`');
  }
  if (request.bodyBytes > extractorBytesMax) {
    return extractor(413, 'Failed to buffer the request body: length limit exceeded');
  }
  const parsed = readRequest(request.endpoint, json);
  if (parsed.kind === 'unreadable') return extractor(422, parsed.message);
  if (isTooLong(parsed, model)) {
    const isText = parsed.kind === 'chat' || parsed.kind === 'completions';
    return refuse(isText ? 'internal' : 'invalidBody', 'The input is too long for the model');
  }
  const isStream = 'stream' in parsed && parsed.stream;
  return { kind: 'admitted', parsed, isStream, estimate, hold };
}

function isTooLong(parsed: InferenceRequest, model: ServedModel): boolean {
  if (parsed.kind === 'images') return false;
  const output = 'outputTokensMax' in parsed ? (parsed.outputTokensMax ?? 0) : 0;
  return parsed.inputTokens + output > model.contextTokens;
}
