import { describe, expect, it } from 'vitest';
import { examine } from '../attestation/examine.ts';
import { compress, recorded } from '../attestation/testing/evidence.ts';
import { createVerifiers } from '../control-plane/attestation/verifiers.ts';
import { silentLog } from '../runtime/silent-log.ts';

const load = (...configs: readonly unknown[]) =>
  createVerifiers(
    configs.map((config) => ({ module: './known-devices.ts', config })),
    { folder: import.meta.dirname, tools: { log: silentLog } },
  );

/** The boot ROM of the recorded Hopper GPU. */
const hopper =
  '56:E2:02:C8:31:C2:71:55:2B:45:78:0E:33:95:92:21:45:B4:E9:41:96:01:59:96:72:E5:23:93:4E:47:FD:43';

async function claimsOf(fingerprint: string) {
  const { claims } = await examine(
    {
      key: {
        publicKey: new Uint8Array(32),
        rotation: 1n,
        rotationNonce: 1n,
        isEvidenceOwn: true,
      },
      compressed: compress(recorded('gh100-driver-580').evidence),
    },
    {
      verifiers: await load({ fingerprints: [fingerprint] }),
      nowMs: Date.UTC(2026, 0, 1),
      signal: new AbortController().signal,
      onFailure: (cause) => {
        throw cause;
      },
    },
  );
  return claims;
}

describe('the known-devices verifier', () => {
  it('speaks in its own name, beside those that are built in', async () => {
    const claims = await claimsOf(hopper);
    expect(claims).toContainEqual(
      expect.objectContaining({
        claim: 'devices-listed',
        standing: 'asserted',
        by: 'known-devices',
      }),
    );
    expect(claims).toContainEqual(
      expect.objectContaining({ claim: 'hardware-signed', standing: 'asserted', by: 'nvidia' }),
    );
  });

  it('refutes a device that is on no list', async () => {
    const claims = await claimsOf('00:'.repeat(32).slice(0, -1));
    expect(claims).toContainEqual(
      expect.objectContaining({ claim: 'devices-listed', standing: 'refuted' }),
    );
  });

  it('stops the start with a misspelt setting, and when it is there twice', async () => {
    await expect(load({ fingerprint: [hopper] })).rejects.toThrow('known-devices');
    const config = { fingerprints: [hopper] };
    await expect(load(config, config)).rejects.toThrow('both be called "known-devices"');
  });
});
