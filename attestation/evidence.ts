/** The evidence that a node commits with its key: a zlib stream of a JSON list (Atoma on Sui, section 8). */
import type { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { parseBase64 } from '../confidential/base64.ts';
import { parseChain } from './certificate-chain.ts';
import { inflateWithin } from './inflate.ts';
import { limits } from './limits.ts';
import { parseSpdmReport, type SpdmReport } from './spdm-report.ts';

const deviceKinds = ['device', 'nvswitch'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

export type EvidenceItem = {
  readonly kind: DeviceKind;
  /** The device's own certificate first; nobody has checked them. */
  readonly chain: readonly X509Certificate[];
  readonly report: SpdmReport;
};

/** At least one GPU among them. */
export type Evidence = { readonly kind: 'evidence'; readonly items: readonly EvidenceItem[] };

export type Malformed = {
  readonly kind: 'malformed';
  /** A sentence that names no content of it. */
  readonly reason: string;
};

/** Base64 needs four characters for three bytes. */
const charactersOf = (bytes: number) => Math.ceil(bytes / 3) * 4;

const rawItem = z.strictObject({
  evidence_type: z.enum(deviceKinds),
  certificate: z.string().max(charactersOf(limits.chainBytesMax)),
  evidence: z.string().max(charactersOf(limits.reportBytesMax)),
});

/** Reads evidence in the one form that nodes write. Cost is bounded whatever the bytes are. */
export async function readEvidence(compressed: Uint8Array): Promise<Evidence | Malformed> {
  if (compressed.length > limits.compressedBytesMax) return malformed('It is too large.');
  const bytes = await inflateWithin(compressed, limits.jsonBytesMax);
  if (!bytes) return malformed('It is no whole zlib stream, or holds too much.');
  const list = parseList(bytes);
  if (!list) return malformed('It is no JSON list of a few objects in compact form.');
  const items: EvidenceItem[] = [];
  for (const [index, raw] of list.entries()) {
    const item = parseItem(raw);
    if (typeof item === 'string') return malformed(`Its object ${index + 1} ${item}.`);
    items.push(item);
  }
  if (!items.some(({ kind }) => kind === 'device')) return malformed('It holds no GPU.');
  return { kind: 'evidence', items };
}

const malformed = (reason: string): Malformed => ({ kind: 'malformed', reason });

/** Printed anew, the text must be the same: so no field is there twice, for two readers to take different ones. */
function parseList(bytes: Uint8Array): readonly unknown[] | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value) || value.length > limits.itemsMax) return undefined;
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    // No UTF-8, no JSON, or nested deeper than can be printed.
    return undefined;
  }
}

function parseItem(raw: unknown): EvidenceItem | string {
  const parsed = rawItem.safeParse(raw);
  if (!parsed.success) return 'has not the three fields of evidence';
  const { evidence_type: kind, certificate, evidence } = parsed.data;
  const pem = parseBase64(certificate);
  const chain = pem && parseChain(Buffer.from(pem).toString('latin1'));
  if (!chain) return 'has no chain of certificates';
  const bytes = parseBase64(evidence);
  const report = bytes && parseSpdmReport(bytes);
  return report ? { kind, chain, report } : 'has no report of SPDM 1.1';
}
