import { describe, expect, it } from 'vitest';
import { canonicalText, type Json } from './canonical.ts';
import { type ReceiptDocument, receiptDocument } from './document.ts';
import { toReceiptDocument } from './publishing.ts';
import { nextRoot, type SignedRoot } from './root.ts';
import { keyOf, publishedOf, sealedBy, settledOf } from './testing.ts';
import { verifyChain, verifyDocument } from './verification.ts';

const key = keyOf(1);
const keys = [publishedOf(key)];
const valid = { kind: 'valid' };
const sealedOf = (count: number) =>
  sealedBy(
    Array.from({ length: count }, () => settledOf()),
    { key },
  );

describe('canonical JSON', () => {
  it('is what RFC 8785 prints', () => {
    const value: Json = { '\u20ac': 1, '\r': 2, '1': 3, '\u{1f600}': 4, ö: 5, '\ufb33': 6 };
    expect(canonicalText(value)).toBe('{"\\r":2,"1":3,"ö":5,"€":1,"\u{1f600}":4,"\ufb33":6}');
    expect(canonicalText([1e30, 4.5, 2e-3, 1e-27, -0])).toBe('[1e+30,4.5,0.002,1e-27,0]');
    expect(canonicalText([null, true, { b: [], a: {} }, '\u000f\n"\\/'])).toBe(
      '[null,true,{"a":{},"b":[]},"\\u000f\\n\\"\\\\/"]',
    );
  });
});

describe('a receipt', () => {
  it('is valid with every place in trees of every size, also after a way as JSON', () => {
    for (const count of [1, 2, 3, 7, 64, 100]) {
      for (const document of sealedOf(count).documents) {
        const read = receiptDocument.parse(JSON.parse(JSON.stringify(document)));
        expect(verifyDocument(read, keys)).toEqual(valid);
      }
    }
  });

  it('is valid before it is sealed, and signed the same way whenever it is asked for', () => {
    const kept = { kind: 'pending', settled: settledOf() } as const;
    const document = toReceiptDocument(kept, key);
    expect(verifyDocument(document, keys)).toEqual(valid);
    expect(toReceiptDocument(kept, key)).toEqual(document);
  });

  it('says the cost to the pico-dollar, and both hashes', () => {
    const { receipt } = toReceiptDocument({ kind: 'pending', settled: settledOf() }, key);
    expect(receipt.event_log.map(({ type }) => type)).toEqual([
      'request.received',
      'payment.held',
      'request.forwarded',
      'response.signed',
      'response.returned',
      'usage.metered',
      'payment.settled',
    ]);
    expect(receipt.event_log.at(-1)).toMatchObject({ cost_usd: '0.000001234567' });
    expect(receipt.event_log[0]).toMatchObject({ hash: `sha256:${'a'.repeat(64)}` });
  });

  it('is refused with any changed character of it, of its proof or of its root', () => {
    const text = JSON.stringify(sealedOf(5).documents[2]);
    const readable = [...text]
      .map((_, at) => withOtherCharacter(text, at))
      .map((tampered) => receiptDocument.safeParse(parseOrNothing(tampered)))
      .flatMap((read) => (read.success ? [read.data] : []));
    expect(readable.length).toBeGreaterThan(1000);
    expect(readable.filter((document) => verifyDocument(document, keys).kind === 'valid')).toEqual(
      [],
    );
  });

  it('is refused with the proof of another, or under another root', () => {
    const [first, second] = sealedOf(4).documents;
    const [other] = sealedOf(4).documents;
    if (first?.status !== 'sealed' || second?.status !== 'sealed' || other?.status !== 'sealed') {
      throw new Error('not sealed');
    }
    const { root } = other.inclusion;
    const mixed: ReceiptDocument[] = [
      { ...first, inclusion: second.inclusion },
      { ...first, inclusion: { ...first.inclusion, root } },
      { ...first, receipt: second.receipt },
    ];
    for (const document of mixed) expect(verifyDocument(document, keys).kind).toBe('invalid');
  });

  it('is refused from a key that is not published, that hides behind a name, or that was replaced', () => {
    const [document] = sealedOf(1).documents;
    if (!document) throw new Error('no document');
    const stranger = publishedOf(keyOf(2));
    const masked = { ...stranger, key_id: keys[0]?.key_id ?? '' };
    const replaced = publishedOf(key, '2026-05-31T00:00:00.000Z');
    for (const list of [[], [stranger], [masked], [replaced]]) {
      expect(verifyDocument(document, list).kind).toBe('invalid');
    }
    const later = publishedOf(key, '2026-07-01T00:00:00.000Z');
    expect(verifyDocument(document, [stranger, later])).toEqual(valid);
  });
});

describe('the chain of roots', () => {
  const chainOf = (length: number) => {
    const roots = [sealedOf(2).root];
    while (roots.length < length) {
      const last = roots.at(-1);
      if (last) roots.push(sealedBy([settledOf(), settledOf()], { key, last }).root);
    }
    return roots;
  };

  it('holds, and holds each of its roots', () => {
    const roots = chainOf(6);
    for (const root of roots) expect(verifyChain(roots, { keys, sealedBy: root })).toEqual(valid);
  });

  const breakers = {
    drop: (roots: SignedRoot[], at: number) => roots.splice(at, 1),
    swap: (roots: SignedRoot[], at: number) =>
      roots.splice(at, 2, ...roots.slice(at, at + 2).reverse()),
    fork: (roots: SignedRoot[], at: number) => {
      const last = roots[at - 1];
      roots.splice(at, 1, sealedBy([settledOf()], { key, ...(last ? { last } : {}) }).root);
    },
  };

  it.each(Object.entries(breakers))('breaks anywhere by a %s', (_, breakAt) => {
    for (let at = 0; at < 5; at += 1) {
      const roots = chainOf(6);
      breakAt(roots, at);
      expect(verifyChain(roots, { keys }).kind).toBe('invalid');
    }
  });

  it('goes forward in time, whatever the clocks say', () => {
    const { root: last } = sealedOf(1);
    const sealedMs = Date.parse(last.sealed_at) - 5000;
    const next = nextRoot({ last, root: Buffer.alloc(32), size: 1, sealedMs, key });
    expect(next.sealed_at).toBe(last.sealed_at);
  });

  it('does not hold a root that was never published', () => {
    const roots = chainOf(3);
    const stray = sealedOf(1).root;
    expect(verifyChain(roots, { keys, sealedBy: stray }).kind).toBe('invalid');
    expect(verifyChain(roots.slice(0, 2), { keys, ...sealedByOf(roots[2]) }).kind).toBe('invalid');
  });
});

const sealedByOf = (root: ReturnType<typeof sealedOf>['root'] | undefined) =>
  root ? { sealedBy: root } : {};

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The text with another character of the same kind in one place, or as it is where that is no letter or digit. */
function withOtherCharacter(text: string, at: number): string {
  const old = text[at] ?? '';
  if (!/[a-z0-9]/i.test(old)) return '';
  const letter = old === 'a' ? 'b' : 'a';
  const other = /\d/.test(old) ? String((Number(old) + 1) % 10) : letter;
  return `${text.slice(0, at)}${other}${text.slice(at + 1)}`;
}
