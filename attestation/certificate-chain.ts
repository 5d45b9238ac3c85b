/** Chains of X.509 certificates as devices carry them: the device's own first, the root last. */
import { X509Certificate } from 'node:crypto';
import { limits } from './limits.ts';

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----/g;

/** Reads PEM with nothing but white space between the certificates; nothing where it is anything else, or too many. */
export function parseChain(pem: string): readonly X509Certificate[] | undefined {
  const texts = pem.match(block) ?? [];
  if (texts.length === 0 || texts.length > limits.certificatesMax) return undefined;
  if (pem.replace(block, '').trim() !== '') return undefined;
  try {
    return texts.map((text) => new X509Certificate(text));
  } catch {
    return undefined;
  }
}

/**
 * Why the chain does not lead to the root; nothing where it does. Only keys on P-384 are tried: each costs about a
 * millisecond, where a stranger's RSA key could cost minutes. A root counts by its bytes, not by its name.
 */
export function faultOfChain(
  chain: readonly X509Certificate[],
  { root, nowMs }: { readonly root: X509Certificate; readonly nowMs: number },
): string | undefined {
  if (!chain.at(-1)?.raw.equals(root.raw)) return 'does not end in the pinned root';
  for (const [index, certificate] of chain.entries()) {
    const fault = faultOfLink({ certificate, issuer: chain[index + 1] ?? root, nowMs });
    if (fault) return `has a certificate ${index + 1} that ${fault}`;
    if (certificate.ca !== index > 0) return `has a certificate ${index + 1} of the wrong use`;
  }
  return undefined;
}

function faultOfLink(options: {
  readonly certificate: X509Certificate;
  readonly issuer: X509Certificate;
  readonly nowMs: number;
}): string | undefined {
  const { certificate, issuer, nowMs } = options;
  if (!(isOnP384(certificate) && isOnP384(issuer))) return 'has no key on P-384';
  const isValid =
    certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime();
  if (!isValid) return 'is not valid at this time';
  const isIssued = certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  return isIssued ? undefined : 'was not issued by the next one';
}

function isOnP384(certificate: X509Certificate): boolean {
  try {
    return certificate.publicKey.asymmetricKeyDetails?.namedCurve === 'secp384r1';
  } catch {
    // OpenSSL does not know the kind of key.
    return false;
  }
}
