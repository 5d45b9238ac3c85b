/** What a sealed request may cost at most, and which lock it needs: all that its envelope says. */
import { blake2b256 } from '../chain/blake2b.ts';
import { toBase64 } from '../confidential/base64.ts';
import { tagBytes } from '../confidential/cipher.ts';
import { type Envelope, readEnvelope } from '../confidential/envelope.ts';
import type { ApiKey } from '../domain/api-key.ts';
import type { Failure } from '../domain/failure.ts';
import { type Endpoint, generatesText } from '../domain/model.ts';
import { picoUsdMax } from '../domain/money.ts';
import { costBoundOf } from '../domain/price.ts';
import { invalid } from '../domain/request-fields.ts';
import { sealedBoundOf, sealedUnitsOf } from '../domain/sealed-bound.ts';
import { bytesPerTokenGuess } from '../domain/usage.ts';
import type { SealedRequest } from '../storage/node-locks.ts';
import type { CatalogueView } from './catalogue-view.ts';
import { findPriced, objectionTo, type Priced, type Quote, type QuoteRequest } from './quote.ts';

export type SealedQuote = {
  readonly kind: 'sealed-quote';
  /** Without a signature: that is made last. */
  readonly quote: Quote;
  readonly request: SealedRequest;
  /** In base64; no answer may use it again. */
  readonly nonce: string;
  /** What the signature has to be over, chosen by the caller. */
  readonly plaintextHash: Uint8Array;
};

const unavailable: Failure = { kind: 'gateway-unavailable', retryAfterMs: 1000 };

export function createSealedQuoting(options: {
  readonly catalogue: CatalogueView;
  readonly bodyBytesMax: number;
}): (request: QuoteRequest) => SealedQuote | Failure {
  const { catalogue, bodyBytesMax } = options;
  return ({ key, endpoint, headers, body }) => {
    const unreadable = objectionTo(headers, body, bodyBytesMax);
    if (unreadable) return unreadable;
    if (!catalogue.isPublished()) return unavailable;
    const envelope = readEnvelope(body);
    if ('kind' in envelope) {
      const { field, expected } = envelope;
      return invalid(field === '' ? null : field, `The envelope must be ${expected}.`);
    }
    const priced = findPriced({ model: envelope.modelName, endpoint }, { key, catalogue });
    if (priced.kind !== 'priced') return priced;
    return toSealedQuote(envelope, { key, endpoint, priced });
  };
}

function toSealedQuote(
  envelope: Envelope,
  options: { readonly key: ApiKey; readonly endpoint: Endpoint; readonly priced: Priced },
): SealedQuote | Failure {
  const { endpoint, priced } = options;
  const { model, price } = priced;
  const plaintextBytes = envelope.ciphertext.length - tagBytes;
  const unitsAsked = envelope.numComputeUnits;
  const bound = sealedBoundOf({ endpoint, plaintextBytes, unitsAsked }, model);
  const cost = costBoundOf(price, bound);
  if (cost > picoUsdMax) return { kind: 'balance-exhausted', missing: cost };
  const guess = Math.ceil(plaintextBytes / bytesPerTokenGuess);
  return {
    kind: 'sealed-quote',
    quote: {
      kind: 'quote',
      ...{ model, price, bound, cost },
      stream: generatesText(endpoint) && envelope.stream === true,
      usageWanted: true,
      estimatedInputTokens: Math.min(guess, bound.inputTokens),
      units: sealedUnitsOf(bound, endpoint),
      edits: [],
      signature: undefined,
    },
    request: {
      terms: {
        accountId: options.key.accountId,
        model: model.id,
        stackId: String(envelope.stackSmallId),
        sealingKey: toBase64(envelope.nodePublicKey),
      },
      digest: digestOf(envelope),
    },
    nonce: toBase64(envelope.nonce),
    plaintextHash: envelope.plaintextHash,
  };
}

/** Recognises the request. Nobody who guesses its text can confirm that by the digest without the random parts. */
function digestOf({ salt, nonce, clientPublicKey, plaintextHash }: Envelope): string {
  return toBase64(blake2b256(Buffer.concat([salt, nonce, clientPublicKey, plaintextHash])));
}
