/** One sealed request on its way: what its answer is checked against. */
import type { AnswerFault, OpenedAnswer } from '../answer.ts';
import type { ExchangeCipher } from '../cipher.ts';
import type { BodyReader } from './body.ts';
import { UnprovenError } from './errors.ts';
import type { PlainRequest } from './plain-request.ts';
import type { SealedEndpoint } from './route.ts';
import type { SignerCheck } from './trust.ts';

export type Exchange = {
  readonly endpoint: SealedEndpoint;
  readonly request: PlainRequest;
  readonly cipher: ExchangeCipher;
  readonly checkSigner: SignerCheck;
  readonly reader: BodyReader;
  readonly signal: AbortSignal;
};

const faults = {
  malformed: ['ciphertext', 'what came back is no sealed answer'],
  undecryptable: ['ciphertext', 'the answer was not sealed under the key of this request'],
  'hash-differs': ['hash', "the answer's hash is not that of its text"],
  'signature-invalid': ['signer', "the answer's signature is not valid"],
} as const satisfies Record<AnswerFault['kind'], readonly [UnprovenError['unproven'], string]>;

/** @throws UnprovenError where the answer could not be opened. */
export function expectOpened<Opened extends OpenedAnswer>(opened: Opened | AnswerFault): Opened {
  if (opened.kind === 'opened') return opened;
  const [unproven, message] = faults[opened.kind];
  throw new UnprovenError(unproven, message);
}
