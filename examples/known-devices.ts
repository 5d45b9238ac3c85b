/** An example verifier of nodes' evidence: whether an operator has seen all devices of a node before, by the certificate that each device is born with. */
import { z } from 'zod';
import type { VerifierPlugin } from '../attestation/verifier.ts';

const claim = 'devices-listed';

/** Strict: a misspelt setting stops the start. */
const config = z.strictObject({
  /** SHA-256 of the second certificate of each device's chain, as `openssl x509 -fingerprint -sha256` prints it. */
  fingerprints: z.array(z.string().regex(/^(?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/)).min(1),
});

export const plugin = {
  name: 'known-devices',
  config,
  create({ fingerprints }) {
    const listed = new Set(fingerprints);
    return {
      name: 'known-devices',
      claims: [claim],
      // It says nothing of signatures: whoever copies a listed certificate is told apart by the verifier "nvidia" only.
      async verify({ evidence }) {
        const strange = evidence.items.findIndex(
          ({ chain }) => !listed.has(chain[1]?.fingerprint256 ?? ''),
        );
        return strange === -1
          ? [{ claim, standing: 'asserted', detail: 'All devices are on the operator’s list.' }]
          : [{ claim, standing: 'refuted', detail: `Device ${strange + 1} is on no list.` }];
      },
    };
  },
} satisfies VerifierPlugin<z.infer<typeof config>>;
