/**
 * The sealed request as it travels (Atoma node protocol, section 11). A node ignores fields that it does not know;
 * a gateway refuses them, since nobody says what they mean.
 */
import { z } from 'zod';
import { type StackSmallId, stackSmallId } from '../domain/chain-ids.ts';
import { scanObject } from '../domain/json-scan.ts';
import { parseBase64, toBase64 } from './base64.ts';
import { nonceBytes, tagBytes } from './cipher.ts';
import { isCanonicalKey, publicKeyBytes, saltBytes } from './keys.ts';
import { type Malformed, malformed, readJson } from './reading.ts';

/** Beyond it a node's extractor refuses, after it has taken the units (Atoma node protocol, section 5). */
export const plaintextBytesMax = 2 * 1024 * 1024;
export const hashBytes = 32;
const modelNameCharsMax = 256;
const ciphertextBytesMax = plaintextBytesMax + tagBytes;
/** The ciphertext as base64, and room for all other fields. */
export const envelopeBytesMax = Math.ceil(ciphertextBytesMax / 3) * 4 + 4096;

const byteFields = [
  'ciphertext',
  'nonce',
  'salt',
  'client_dh_public_key',
  'node_dh_public_key',
  'plaintext_body_hash',
] as const;
type ByteField = (typeof byteFields)[number];

const otherFields = ['stack_small_id', 'num_compute_units', 'stream', 'model_name'] as const;
const fields: readonly string[] = [...byteFields, ...otherFields];

/** What no key protects: whoever relays the request can change it. */
type Clear = {
  readonly stackSmallId: StackSmallId;
  readonly modelName: string;
  /** Absent and null are the same. */
  readonly stream: boolean | undefined;
  readonly numComputeUnits: bigint | undefined;
};

/** An envelope whose fields have their types, its bytes still as text. */
export type EnvelopeText = Clear & { readonly texts: Readonly<Record<ByteField, string>> };

/** An envelope whose every field has its length and its one form. */
export type Envelope = Clear & {
  readonly ciphertext: Uint8Array;
  readonly nonce: Uint8Array;
  readonly salt: Uint8Array;
  readonly clientPublicKey: Uint8Array;
  readonly nodePublicKey: Uint8Array;
  readonly plaintextHash: Uint8Array;
};

/** Reads a body as a gateway does: nothing unknown, everything in its one form. */
export function readEnvelope(body: Uint8Array): Envelope | Malformed {
  const text = parseEnvelope(body, { unknownFields: 'refused' });
  return 'kind' in text ? text : decodeEnvelope(text);
}

const shape = z.looseObject({
  ciphertext: z.string(),
  nonce: z.string(),
  salt: z.string(),
  client_dh_public_key: z.string(),
  node_dh_public_key: z.string(),
  plaintext_body_hash: z.string(),
  stack_small_id: z.number(),
  num_compute_units: z.number().nullish(),
  stream: z.boolean().nullish(),
  model_name: z
    .string()
    .max(modelNameCharsMax)
    .refine((name) => name.isWellFormed()),
});

/** Reads the JSON of a body and the types of its fields. */
export function parseEnvelope(
  body: Uint8Array,
  options: { readonly unknownFields: 'refused' | 'ignored' },
): EnvelopeText | Malformed {
  if (body.length > envelopeBytesMax) return malformed('', `at most ${envelopeBytesMax} bytes`);
  const text = decodeText(body);
  if (text === undefined) return malformed('', 'UTF-8');
  const parsed = readJson(text, shape);
  if (parsed.kind === 'malformed') return parsed;
  const numbers = numberTextsOf(body, options.unknownFields);
  return 'kind' in numbers ? numbers : toEnvelopeText(parsed.value, numbers);
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(body: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(body);
  } catch {
    return undefined;
  }
}

type NumberTexts = { readonly stack: string; readonly units: string };

/** Numbers are read from their text: a number of JavaScript loses digits above 2^53. */
function numberTextsOf(
  body: Uint8Array,
  unknownFields: 'refused' | 'ignored',
): NumberTexts | Malformed {
  const seen = new Set<string>();
  const texts = { stack: '', units: '' };
  for (const { key, valueStart, valueEnd } of scanObject(body).members) {
    if (!fields.includes(key)) {
      if (unknownFields === 'refused') return malformed('', 'known fields only');
      continue;
    }
    // Two readers may take different ones of a repeated field; a node refuses the request.
    if (seen.has(key)) return malformed(key, 'the field once');
    seen.add(key);
    const text = () => strictUtf8.decode(body.subarray(valueStart, valueEnd));
    if (key === 'stack_small_id') texts.stack = text();
    if (key === 'num_compute_units') texts.units = text();
  }
  return texts;
}

function toEnvelopeText(
  json: z.infer<typeof shape>,
  numbers: NumberTexts,
): EnvelopeText | Malformed {
  const stack = parseU64(numbers.stack);
  if (stack === undefined) return malformed('stack_small_id', 'an unsigned 64-bit number');
  const isUnitsGiven = typeof json.num_compute_units === 'number';
  const units = isUnitsGiven ? parseU64(numbers.units) : undefined;
  if (isUnitsGiven && units === undefined) {
    return malformed('num_compute_units', 'an unsigned 64-bit number or null');
  }
  return {
    texts: json,
    stackSmallId: stackSmallId(stack),
    modelName: json.model_name,
    stream: json.stream ?? undefined,
    numComputeUnits: units,
  };
}

function parseU64(text: string): bigint | undefined {
  if (!/^(0|[1-9]\d{0,19})$/.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asUintN(64, value) === value ? value : undefined;
}

/** Reads the bytes of all fields. */
export function decodeEnvelope(text: EnvelopeText): Envelope | Malformed {
  const { texts, ...clear } = text;
  const read = {
    ciphertext: bytesOf(texts.ciphertext, { min: tagBytes, max: ciphertextBytesMax }),
    nonce: exactly(texts.nonce, nonceBytes),
    salt: exactly(texts.salt, saltBytes),
    clientPublicKey: canonical(exactly(texts.client_dh_public_key, publicKeyBytes)),
    nodePublicKey: canonical(exactly(texts.node_dh_public_key, publicKeyBytes)),
    plaintextHash: decodeHash(text),
  };
  const { ciphertext, nonce, salt, clientPublicKey, nodePublicKey, plaintextHash } = read;
  if (!ciphertext) return malformed('ciphertext', 'base64 of a ciphertext with its tag');
  if (!nonce) return malformed('nonce', `base64 of ${nonceBytes} bytes`);
  if (!salt) return malformed('salt', `base64 of ${saltBytes} bytes`);
  if (!clientPublicKey) return malformed('client_dh_public_key', 'base64 of an X25519 key');
  if (!nodePublicKey) return malformed('node_dh_public_key', 'base64 of an X25519 key');
  if (!plaintextHash) return malformed('plaintext_body_hash', `base64 of ${hashBytes} bytes`);
  return {
    ...clear,
    ciphertext,
    nonce,
    salt,
    clientPublicKey,
    nodePublicKey,
    plaintextHash,
  };
}

/** The hash alone: a node checks the signature over it before it looks at any other bytes. */
export const decodeHash = ({ texts }: EnvelopeText) =>
  exactly(texts.plaintext_body_hash, hashBytes);

const exactly = (text: string, length: number) => bytesOf(text, { min: length, max: length });

const canonical = (key: Uint8Array | undefined) => (key && isCanonicalKey(key) ? key : undefined);

function bytesOf(text: string, length: { min: number; max: number }): Uint8Array | undefined {
  const bytes = parseBase64(text);
  return bytes && bytes.length >= length.min && bytes.length <= length.max ? bytes : undefined;
}

/** The body of a request, in the order in which clients print it; what is undefined is left out. */
export function printEnvelope(envelope: Envelope): string {
  const { stackSmallId: stack, stream, modelName, numComputeUnits } = envelope;
  const members = [
    `"ciphertext":"${toBase64(envelope.ciphertext)}"`,
    `"stack_small_id":${stack}`,
    `"nonce":"${toBase64(envelope.nonce)}"`,
    `"salt":"${toBase64(envelope.salt)}"`,
    `"client_dh_public_key":"${toBase64(envelope.clientPublicKey)}"`,
    `"node_dh_public_key":"${toBase64(envelope.nodePublicKey)}"`,
    `"plaintext_body_hash":"${toBase64(envelope.plaintextHash)}"`,
    ...(stream === undefined ? [] : [`"stream":${stream}`]),
    `"model_name":${JSON.stringify(modelName)}`,
    ...(numComputeUnits === undefined ? [] : [`"num_compute_units":${numComputeUnits}`]),
  ];
  return `{${members.join(',')}}`;
}
