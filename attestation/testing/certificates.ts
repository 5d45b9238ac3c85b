/** A hierarchy of certificates as NVIDIA's, for tests: DER (X.690) of the few fields of X.509 that matter here. */
import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';

export type TestKeys = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

export const testKeys = (namedCurve = 'secp384r1'): TestKeys =>
  generateKeyPairSync('ec', { namedCurve });

export type TestIssuer = { readonly name: string; readonly keys: TestKeys };

let serial = 0;

/** A certificate of `subject`, signed by `issuer`. */
export function testCertificate(options: {
  readonly subject: TestIssuer;
  readonly issuer: TestIssuer;
  readonly isAuthority: boolean;
  /** `YYYYMMDDHHMMSSZ`. */
  readonly validTo?: string;
}): X509Certificate {
  const { subject, issuer, isAuthority, validTo = '99991231235959Z' } = options;
  serial += 1;
  const validity = [time('20200101000000Z'), time(validTo)];
  const body = sequence(
    tlv(0xa0, integer(2)),
    integer(serial),
    sequence(ecdsaWithSha384),
    nameOf(issuer.name),
    sequence(...validity),
    nameOf(subject.name),
    subject.keys.publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(basicConstraints(isAuthority))),
  );
  const signature = sign('sha384', body, issuer.keys.privateKey);
  const bits = tlv(0x03, Buffer.concat([Buffer.of(0), signature]));
  return new X509Certificate(sequence(body, sequence(ecdsaWithSha384), bits));
}

/** Leaf, boot ROM, provisioner, identity and root of one device, with the leaf's keys. */
export function testDevice({ root, family }: { root: TestIssuer; family: string }): {
  readonly chain: readonly X509Certificate[];
  readonly keys: TestKeys;
} {
  const names = [
    `${family} FMC`,
    `${family} BROM`,
    `NVIDIA ${family} Provisioner ICA 1`,
    'Identity',
  ];
  const parties = [...names.map((name) => ({ name, keys: testKeys() })), root];
  const chain = parties.map((subject, index) => {
    const issuer = parties[index + 1] ?? root;
    return subject === root
      ? rootCertificate(root)
      : testCertificate({ subject, issuer, isAuthority: index > 0 });
  });
  return { chain, keys: parties[0]?.keys ?? root.keys };
}

const roots = new Map<TestIssuer, X509Certificate>();

/** The same bytes each time. */
export function rootCertificate(root: TestIssuer): X509Certificate {
  const known = roots.get(root);
  if (known) return known;
  const certificate = testCertificate({ subject: root, issuer: root, isAuthority: true });
  roots.set(root, certificate);
  return certificate;
}

function tlv(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 128) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length);
  return Buffer.concat([Buffer.of(tag, 0x82), length, content]);
}

const sequence = (...contents: readonly Uint8Array[]) => tlv(0x30, ...contents);
const integer = (value: number) => tlv(0x02, Buffer.of(value % 128));
const time = (text: string) => tlv(0x18, Buffer.from(text, 'latin1'));
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, 'hex'));
const ecdsaWithSha384 = oid('2a8648ce3d040303');
const commonName = oid('550403');
const basicConstraintsId = oid('551d13');

const nameOf = (text: string) =>
  sequence(tlv(0x31, sequence(commonName, tlv(0x0c, Buffer.from(text)))));

function basicConstraints(isAuthority: boolean): Buffer {
  const value = sequence(...(isAuthority ? [tlv(0x01, Buffer.of(0xff))] : []));
  return sequence(basicConstraintsId, tlv(0x01, Buffer.of(0xff)), tlv(0x04, value));
}
