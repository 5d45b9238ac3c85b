import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvidence } from './evidence.ts';
import { inflateWithin } from './inflate.ts';
import { limits } from './limits.ts';
import { compress, recorded, reportOf, withReport } from './testing/evidence.ts';

const [item] = recorded('gh100-driver-580').evidence;
if (!item) throw new Error('nothing recorded');
const kindOf = async (bytes: Uint8Array) => (await readEvidence(bytes)).kind;
const timed = async (bytes: Uint8Array) => {
  const startMs = performance.now();
  const { kind } = await readEvidence(bytes);
  return { kind, ms: performance.now() - startMs };
};

describe('evidence', () => {
  it.each([
    'gh100-driver-580',
    'gh100-eight',
    'gb100-driver-575',
    'gh100-wrong-signature',
  ] as const)('is read as devices wrote it: %s', async (name) => {
    const { evidence, nonce } = recorded(name);
    const read = await readEvidence(compress(evidence));
    if (read.kind === 'malformed') throw new Error(read.reason);
    expect(read.items).toHaveLength(evidence.length);
    for (const { report, chain } of read.items) {
      expect(Buffer.from(report.requesterNonce).toString('hex')).toBe(nonce);
      expect(chain).toHaveLength(5);
    }
  });

  it('holds switches beside GPUs, and no switch alone', async () => {
    const { evidence: switches } = recorded('ls10-switch');
    expect(await kindOf(compress([item, ...switches]))).toBe('evidence');
    expect(await kindOf(compress(switches))).toBe('malformed');
    expect(await kindOf(compress([]))).toBe('malformed');
  });

  it.each([
    ['garbage', Buffer.from('not zlib at all')],
    ['another container', gzipSync(JSON.stringify([item]))],
    ['a stream without header', deflateRawSync(JSON.stringify([item]))],
    ['bytes behind the stream', Buffer.concat([compress([item]), Buffer.of(0)])],
    ['half a stream', compress([item]).subarray(0, 1000)],
    ['white space', deflateSync(JSON.stringify([item], null, 1))],
    ['a field twice', deflateSync(JSON.stringify([item]).replace('{', '{"evidence":"AA==",'))],
    ['no list', compress(item)],
    ['an unknown field', compress([{ ...item, arch: 'HOPPER' }])],
    ['an unknown type', compress([{ ...item, evidence_type: 'cpu' }])],
    ['loose base64', compress([{ ...item, evidence: `${item.evidence} ` }])],
    ['no certificates', compress([{ ...item, certificate: '' }])],
    ['a word beside the certificates', compress([withWord()])],
    ['no UTF-8', deflateSync(Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]))],
  ])('is refused as %s', async (_, bytes) => {
    expect(await kindOf(bytes)).toBe('malformed');
  });

  function withWord() {
    const pem = Buffer.from(item?.certificate ?? '', 'base64').toString();
    return { ...item, certificate: Buffer.from(`x${pem}`).toString('base64') };
  }

  it('is refused where a report is shorter, longer or of other lengths', async () => {
    const report = reportOf(item);
    for (const bytes of [
      report.subarray(1),
      report.subarray(0, -1),
      grown(report),
      emptied(report),
    ])
      expect(await kindOf(compress([withReport(item, bytes)]))).toBe('malformed');
  });
  const grown = (report: Buffer) => Buffer.concat([report, Buffer.of(0)]);
  const emptied = (report: Buffer) => Buffer.from(report).fill(0, 41, 45);

  it('costs little, whatever a stranger writes', async () => {
    const mebibytes = (text: string, count: number) => text.repeat((count * 2 ** 20) / text.length);
    const bomb = deflateSync(Buffer.alloc(512 * 2 ** 20), { level: 9 });
    expect(bomb.length).toBeLessThan(limits.compressedBytesMax);
    const hostile = [
      bomb,
      Buffer.alloc(limits.compressedBytesMax + 1),
      deflateSync(mebibytes('[', 2)),
      deflateSync(`[${mebibytes('{},', 1)}{}]`),
      deflateSync(`[{${mebibytes('"a":1,', 1)}"b":1}]`),
      deflateSync(`${mebibytes('[', 1).slice(2)}${mebibytes(']', 1).slice(2)}`),
      compress(Array.from({ length: limits.itemsMax + 1 }, () => item)),
    ];
    for (const bytes of hostile) {
      const { kind, ms } = await timed(bytes);
      expect(kind).toBe('malformed');
      expect(ms).toBeLessThan(1000);
    }
  });

  it('is never read from random changes of the stream', async () => {
    const whole = compress([item]);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length * 8 - 1), async (bit) => {
        const changed = Buffer.from(whole);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const read = await inflateWithin(changed, limits.jsonBytesMax);
        // The header has spare values; what comes out of those is the same.
        if (read) expect(Buffer.from(read).toString()).toBe(JSON.stringify([item]));
      }),
      { numRuns: 300 },
    );
  });
});
