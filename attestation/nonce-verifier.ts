/** Whether the reports were made for the key. By itself that proves nothing: anybody can write a nonce into a report. */
import type { Finding } from './claim.ts';
import { reportNonce } from './report-nonce.ts';
import type { Subject, Verifier } from './verifier.ts';

const claim = 'key-named';

export const nonceVerifier: Verifier = {
  name: 'nonce',
  claims: [claim],
  verify: async (subject) => [judge(subject)],
};

function judge({ evidence, key }: Subject): Finding {
  const { publicKey, rotation, rotationNonce, isEvidenceOwn } = key;
  if (rotationNonce === undefined) {
    const detail = `The nonce of rotation ${rotation} is not known: the network is at another.`;
    return { claim, standing: 'unknown', detail };
  }
  const expected = reportNonce({ rotationNonce, publicKey });
  const { items } = evidence;
  const wrong = items.findIndex(
    ({ report }) => Buffer.compare(report.requesterNonce, expected) !== 0,
  );
  if (wrong === -1) {
    const detail = `All reports (${items.length}) name this key, under rotation ${rotation}.`;
    return { claim, standing: 'asserted', detail };
  }
  if (!isEvidenceOwn) {
    const detail = 'The evidence that is known may be of an earlier key than the stored one.';
    return { claim, standing: 'unknown', detail };
  }
  const detail = `Report ${wrong + 1} of ${items.length} is for another key, rotation or type.`;
  return { claim, standing: 'refuted', detail };
}
