import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { faultOfChain } from './certificate-chain.ts';
import type { Claim, Standing } from './claim.ts';
import { examine } from './examine.ts';
import { nonceVerifier } from './nonce-verifier.ts';
import { createNvidiaVerifier, nvidiaVerifier } from './nvidia-verifier.ts';
import { reportNonce } from './report-nonce.ts';
import { nvidiaRoot } from './roots.ts';
import { rootCertificate, testCertificate, testDevice, testKeys } from './testing/certificates.ts';
import {
  compress,
  itemOf,
  madeUpReport,
  type RawItem,
  recorded,
  reportOf,
  withReport,
} from './testing/evidence.ts';
import type { KeyCommitment, Verifier } from './verifier.ts';

const publicKey = new Uint8Array(32).fill(9);
const nowMs = Date.UTC(2026, 0, 1);
const key: KeyCommitment = { publicKey, rotation: 3n, rotationNonce: 5n, isEvidenceOwn: true };
const { signal } = new AbortController();
const onFailure = (cause: unknown) => {
  throw cause;
};

async function claimsOf(
  items: readonly RawItem[],
  given: {
    readonly key?: KeyCommitment;
    readonly verifiers?: readonly Verifier[];
    readonly nowMs?: number;
  } = {},
): Promise<readonly Claim[]> {
  const committed = { key: given.key ?? key, compressed: compress(items) };
  const verifiers = given.verifiers ?? [nonceVerifier, nvidiaVerifier];
  const options = { verifiers, nowMs: given.nowMs ?? nowMs, signal, onFailure };
  return (await examine(committed, options)).claims;
}

const standingOf = (claims: readonly Claim[], name: string): Standing | undefined =>
  claims.find(({ claim }) => claim === name)?.standing;

describe('the nonce of reports', () => {
  it('is the published one', () => {
    const { attestation_nonce: vector } = z
      .object({
        attestation_nonce: z.object({
          chain_nonce: z.string(),
          public_key_hex: z.string(),
          attestation_nonce_hex: z.string(),
        }),
      })
      .parse(JSON.parse(readFileSync(join(import.meta.dirname, 'vectors.json'), 'utf8')));
    const nonce = reportNonce({
      rotationNonce: BigInt(vector.chain_nonce),
      publicKey: Buffer.from(vector.public_key_hex, 'hex'),
    });
    expect(Buffer.from(nonce).toString('hex')).toBe(vector.attestation_nonce_hex);
  });
});

describe('the nonce verifier', () => {
  const [item] = recorded('gh100-driver-580').evidence;
  if (!item) throw new Error('nothing recorded');
  const naming = (given: KeyCommitment) => {
    const { publicKey: own, rotationNonce = 0n } = given;
    const report = Buffer.from(reportOf(item));
    report.set(reportNonce({ rotationNonce, publicKey: own }), 4);
    return withReport(item, report);
  };
  const judge = async (items: readonly RawItem[], given = key) =>
    standingOf(await claimsOf(items, { key: given, verifiers: [nonceVerifier] }), 'key-named');

  it('asserts that all reports name the key', async () => {
    expect(await judge([naming(key), naming(key)])).toBe('asserted');
  });

  it('refutes where one report is for another key or another rotation', async () => {
    const other = { ...key, publicKey: new Uint8Array(32).fill(8) };
    expect(await judge([naming(key), naming(other)])).toBe('refuted');
    expect(await judge([naming({ ...key, rotationNonce: 6n })])).toBe('refuted');
    expect(await judge([item])).toBe('refuted');
  });

  it('knows nothing of a rotation that is over, or of evidence that may be of an earlier key', async () => {
    expect(await judge([naming(key)], { ...key, rotationNonce: undefined })).toBe('unknown');
    expect(await judge([item], { ...key, isEvidenceOwn: false })).toBe('unknown');
    expect(await judge([naming(key)], { ...key, isEvidenceOwn: false })).toBe('asserted');
  });

  it('asserts nothing after a change of any bit of nonce, key, rotation nonce', async () => {
    const own = naming(key);
    await fc.assert(
      fc.asyncProperty(fc.nat(32 * 8 - 1), fc.nat(63), async (bit, nonceBit) => {
        const report = Buffer.from(reportOf(own));
        flip(report, 4 * 8 + bit);
        expect(await judge([withReport(own, report)])).toBe('refuted');
        const changed = Buffer.from(publicKey);
        flip(changed, bit);
        expect(await judge([own], { ...key, publicKey: changed })).toBe('refuted');
        const rotationNonce = 5n ^ (1n << BigInt(nonceBit));
        expect(await judge([own], { ...key, rotationNonce })).toBe('refuted');
      }),
      { numRuns: 40 },
    );
  });
});

function flip(bytes: Buffer, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}

describe('the NVIDIA verifier, on what devices have said', () => {
  const judge = async (items: readonly RawItem[], at = nowMs) =>
    claimsOf(items, { verifiers: [nvidiaVerifier], nowMs: at });

  it.each([
    ['gh100-driver-580', '1 of GH100'],
    ['gb100-driver-575', '1 of GB100'],
    ['gh100-eight', '8 of GH100'],
  ] as const)('asserts %s', async (name, counted) => {
    const claims = await judge(recorded(name).evidence);
    const found = claims.find(({ claim }) => claim === 'hardware-signed');
    expect(found).toMatchObject({ standing: 'asserted', by: 'nvidia' });
    expect(found?.detail).toContain(counted);
    expect(standingOf(claims, 'devices-distinct')).toBe('asserted');
  });

  const gpus = recorded('gh100-eight').evidence;
  const switches = recorded('ls10-switch').evidence;
  const [first, second] = gpus;
  const [fabric] = switches;
  if (!(first && second && fabric)) throw new Error('nothing recorded');

  it('asserts GPUs and a switch together', async () => {
    expect(standingOf(await judge([...gpus, ...switches]), 'hardware-signed')).toBe('asserted');
  });

  it.each([
    ['a signature that was changed', recorded('gh100-wrong-signature').evidence],
    ['a switch that is called a GPU', [{ ...fabric, evidence_type: 'device' as const }]],
    ['a GPU that is called a switch', [first, { ...second, evidence_type: 'nvswitch' as const }]],
    [
      'the report of one device with the chain of another',
      [{ ...first, evidence: second.evidence }],
    ],
  ])('refutes %s', async (_, items) => {
    expect(standingOf(await judge(items), 'hardware-signed')).toBe('refuted');
  });

  it('refutes a device that stands for two', async () => {
    expect(standingOf(await judge([first, first]), 'devices-distinct')).toBe('refuted');
  });

  it('refutes certificates before their time', async () => {
    const claims = await judge([first], Date.UTC(2019, 0, 1));
    expect(standingOf(claims, 'hardware-signed')).toBe('refuted');
  });

  it('asserts nothing after a change of any bit of a report', async () => {
    const report = reportOf(first);
    await fc.assert(
      fc.asyncProperty(fc.nat(report.length * 8 - 1), async (bit) => {
        const changed = Buffer.from(report);
        flip(changed, bit);
        const claims = await judge([withReport(first, changed)]);
        expect(standingOf(claims, 'hardware-signed')).not.toBe('asserted');
      }),
      { numRuns: 150 },
    );
  });

  it('asserts nothing after a change of any bit of a certificate', async () => {
    const pem = Buffer.from(first.certificate, 'base64').toString();
    const ders = [...pem.matchAll(/-----BEGIN[^-]+-----([^-]+)-----END/g)].map(([, text = '']) =>
      Buffer.from(text, 'base64'),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(4), fc.nat(500 * 8), async (which, bit) => {
        const changed = ders.map((der) => Buffer.from(der));
        const target = changed[which];
        if (target) flip(target, bit);
        const text = changed
          .map((der) => der.toString('base64'))
          .map((body) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`)
          .join('');
        const certificate = Buffer.from(text).toString('base64');
        const claims = await judge([{ ...first, certificate }]);
        expect(standingOf(claims, 'hardware-signed')).not.toBe('asserted');
      }),
      { numRuns: 150 },
    );
  });
});

describe('the NVIDIA verifier, under a root of ours', () => {
  const root = { name: 'Root', keys: testKeys() };
  const own = createNvidiaVerifier(rootCertificate(root));
  const nonce = Buffer.from(reportNonce({ rotationNonce: 5n, publicKey }));
  const gpu = testDevice({ root, family: 'GH100' });
  const item = (device: typeof gpu, kind: RawItem['evidence_type'] = 'device') =>
    itemOf({ kind, chain: device.chain, report: madeUpReport(nonce, device.keys) });

  it('and the nonce verifier assert a whole node', async () => {
    const fabric = item(testDevice({ root, family: 'LS_10' }), 'nvswitch');
    const claims = await claimsOf([item(gpu), fabric], { verifiers: [nonceVerifier, own] });
    const asserted = claims.filter(({ standing }) => standing === 'asserted');
    expect(asserted.map(({ claim, by }) => `${claim} by ${by}`)).toEqual([
      'key-current by chain',
      'evidence-well-formed by structure',
      'key-named by nonce',
      'hardware-signed by nvidia',
      'devices-distinct by nvidia',
    ]);
    const open = claims.filter(({ by }) => by === 'nobody');
    expect(open.map(({ claim, standing }) => `${claim} ${standing}`)).toEqual([
      'firmware-known-good unknown',
      'not-revoked unknown',
      'key-in-enclave unknown',
      'fresh-for-caller unknown',
    ]);
  });

  it('is refuted by the pinned root', async () => {
    const claims = await claimsOf([item(gpu)]);
    expect(standingOf(claims, 'hardware-signed')).toBe('refuted');
  });

  it('knows nothing of a family that nobody has recorded, unless something else is refuted', async () => {
    const strange = item(testDevice({ root, family: 'GX900' }));
    const judge = async (items: readonly RawItem[]) =>
      standingOf(await claimsOf(items, { verifiers: [own] }), 'hardware-signed');
    expect(await judge([strange, item(gpu)])).toBe('unknown');
    const [foreign] = recorded('gh100-eight').evidence;
    expect(await judge(foreign ? [strange, foreign] : [])).toBe('refuted');
  });
});

describe('a chain', () => {
  const root = { name: 'Root', keys: testKeys() };
  const trusted = { root: rootCertificate(root), nowMs };
  const end = rootCertificate(root);
  const leaf = { name: 'Leaf', keys: testKeys() };
  const middle = { name: 'Middle', keys: testKeys() };
  const certified = (options: Partial<Parameters<typeof testCertificate>[0]> = {}) =>
    testCertificate({ subject: middle, issuer: root, isAuthority: true, ...options });
  const leafOf = (issuer: typeof root) =>
    testCertificate({ subject: leaf, issuer, isAuthority: false });
  const small = { name: 'Middle', keys: testKeys('prime256v1') };
  const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 4096 });
  const slow = { name: 'Middle', keys: { publicKey: rsa, privateKey: middle.keys.privateKey } };
  const twin = { name: 'Root', keys: testKeys() };

  it('leads to its root', () => {
    expect(faultOfChain([leafOf(middle), certified(), end], trusted)).toBeUndefined();
  });

  const wrong: readonly [string, readonly X509Certificate[]][] = [
    ['no certificate', []],
    ['the root alone as a device', [end]],
    ['another root of the same name', [leafOf(twin), rootCertificate(twin)]],
    ['a middle that may not issue', [leafOf(middle), certified({ isAuthority: false }), end]],
    ['a leaf that may issue', [certified(), end]],
    [
      'a middle whose time is over',
      [leafOf(middle), certified({ validTo: '20250101000000Z' }), end],
    ],
    ['a middle that somebody else issued', [leafOf(middle), certified({ issuer: twin }), end]],
    ['a leaf that somebody else issued', [leafOf(twin), certified(), end]],
    ['a key on P-256', [leafOf(small), certified({ subject: small }), end]],
    ['a key of RSA', [leafOf(middle), certified({ subject: slow }), end]],
    ['another order', [certified(), leafOf(middle), end]],
  ];
  it.each(wrong)('is refused with %s', (_, chain) => {
    expect(faultOfChain(chain, trusted)).toBeTypeOf('string');
  });

  it('ends in the root that NVIDIA published', () => {
    expect(nvidiaRoot.subject).toContain('CN=NVIDIA Device Identity CA');
  });
});
