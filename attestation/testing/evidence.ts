/** Evidence for tests: what devices have really said, and reports that are made up, signed or not. */
import { sign, type X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { z } from 'zod';
import type { TestKeys } from './certificates.ts';

const rawItem = z.object({
  evidence_type: z.enum(['device', 'nvswitch']),
  certificate: z.string(),
  evidence: z.string(),
});
export type RawItem = z.infer<typeof rawItem>;

const recording = z.object({ nonce: z.string(), evidence: z.array(rawItem) });

type Recording =
  | 'gh100-driver-580'
  | 'gh100-eight'
  | 'gh100-wrong-signature'
  | 'gb100-driver-575'
  | 'ls10-switch';

/** A file of `recorded/`; its README says where it comes from. */
export function recorded(name: Recording): z.infer<typeof recording> {
  const file = join(import.meta.dirname, '..', 'recorded', `${name}.json`);
  return recording.parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** As a node commits it. */
export const compress = (value: unknown): Uint8Array => deflateSync(JSON.stringify(value));

export const reportOf = (item: RawItem): Buffer => Buffer.from(item.evidence, 'base64');

export const withReport = (item: RawItem, report: Uint8Array): RawItem => ({
  ...item,
  evidence: Buffer.from(report).toString('base64'),
});

/** The smallest report that can be: one measurement, no opaque data. */
export function madeUpReport(nonce: Uint8Array, sealing?: TestKeys): Buffer {
  const record = Buffer.concat([Buffer.from('01013300013000', 'hex'), Buffer.alloc(48)]);
  const body = Buffer.concat([
    Buffer.from('11e001ff', 'hex'),
    nonce,
    // The slot, then the response: one block in a record of 55 bytes.
    Buffer.from('001160000001370000', 'hex'),
    record,
    Buffer.alloc(32, 7),
    Buffer.alloc(2),
  ]);
  const key = sealing && ({ key: sealing.privateKey, dsaEncoding: 'ieee-p1363' } as const);
  return Buffer.concat([body, key ? sign('sha384', body, key) : Buffer.alloc(96)]);
}

export const itemOf = (options: {
  readonly kind: RawItem['evidence_type'];
  readonly chain: readonly X509Certificate[];
  readonly report: Uint8Array;
}): RawItem => ({
  evidence_type: options.kind,
  certificate: Buffer.from(options.chain.map(String).join('')).toString('base64'),
  evidence: Buffer.from(options.report).toString('base64'),
});
