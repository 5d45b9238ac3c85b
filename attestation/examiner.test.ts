import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Committed } from './examine.ts';
import { createExaminer } from './examiner.ts';
import { compress, recorded } from './testing/evidence.ts';
import type { Verifier } from './verifier.ts';

const compressed = compress(recorded('gh100-driver-580').evidence);
const committed = (rotation: bigint): Committed => ({
  key: { publicKey: new Uint8Array(32), rotation, rotationNonce: 1n, isEvidenceOwn: true },
  compressed,
});
const { signal } = new AbortController();

function world(work: () => Promise<unknown>) {
  const seen = { calls: 0, open: 0, most: 0, failures: 0 };
  const clock = { nowMs: 0 };
  const verifier: Verifier = {
    name: 'own',
    claims: ['firmware-known-good'],
    async verify() {
      seen.calls += 1;
      seen.open += 1;
      seen.most = Math.max(seen.most, seen.open);
      try {
        await work();
      } finally {
        seen.open -= 1;
      }
      return [
        { claim: 'firmware-known-good', standing: 'asserted', detail: 'x'.repeat(5000) },
        { claim: 'hardware-signed', standing: 'asserted', detail: 'never declared' },
      ];
    },
  };
  const examiner = createExaminer({
    verifiers: [verifier],
    nowMs: () => clock.nowMs,
    onFailure: () => {
      seen.failures += 1;
    },
  });
  const claimOf = async (given: Committed, until = signal) =>
    (await examiner.examine(given, until)).claims.find(
      ({ claim }) => claim === 'firmware-known-good',
    );
  return { seen, clock, examiner, claimOf };
}

describe('the examiner', () => {
  it('lets a verifier answer what is open, in its own name, about what it declared, briefly', async () => {
    const { examiner, claimOf } = world(async () => undefined);
    const claim = await claimOf(committed(1n));
    expect(claim).toMatchObject({ standing: 'asserted', by: 'own' });
    expect(claim?.detail).toHaveLength(300);
    const { claims } = await examiner.examine(committed(1n), signal);
    expect(claims.map((one) => one.claim)).not.toContain('hardware-signed');
    expect(claims.filter((one) => one.claim === 'firmware-known-good')).toHaveLength(1);
  });

  it('examines once for all who ask, and again after an hour', async () => {
    const { seen, clock, claimOf } = world(() => delay(20));
    await Promise.all([claimOf(committed(1n)), claimOf(committed(1n))]);
    await claimOf(committed(1n));
    expect(seen.calls).toBe(1);
    await claimOf(committed(2n));
    expect(seen.calls).toBe(2);
    clock.nowMs = 3_600_000;
    await claimOf(committed(1n));
    expect(seen.calls).toBe(3);
  });

  it('runs two at a time', async () => {
    const { seen, claimOf } = world(() => delay(5));
    const many = Array.from({ length: 20 }, (_, index) => claimOf(committed(BigInt(index))));
    for (const claim of await Promise.all(many)) expect(claim?.by).toBe('own');
    expect(seen.most).toBe(2);
  });

  it('knows nothing where a verifier throws, and tries again for the next who asks', async () => {
    const { seen, claimOf } = world(() => Promise.reject(new Error('no')));
    expect(await claimOf(committed(1n))).toMatchObject({ standing: 'unknown', by: 'own' });
    await claimOf(committed(1n));
    expect(seen).toMatchObject({ calls: 2, failures: 2 });
  });

  it('tells whoever cannot wait that nothing is known yet', async () => {
    const { claimOf } = world(() => delay(500));
    const claim = await claimOf(committed(1n), AbortSignal.timeout(10));
    expect(claim).toMatchObject({ standing: 'unknown', by: 'nobody' });
    expect((await claimOf(committed(1n)))?.standing).toBe('asserted');
  });

  it('ends the work of a verifier that never answers', async () => {
    const { seen, claimOf } = world(() => new Promise(() => undefined));
    expect(await claimOf(committed(1n))).toMatchObject({ standing: 'unknown', by: 'own' });
    expect(seen.failures).toBe(1);
  }, 20_000);
});
