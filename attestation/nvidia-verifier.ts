/**
 * Whether devices of NVIDIA signed the reports: the signature, the chain of certificates to the pinned root, and that the
 * chain is of the kind of device that the evidence says. Offline: neither revocation nor reference measurements are asked for.
 */
import { verify, type X509Certificate } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { faultOfChain } from './certificate-chain.ts';
import type { Finding, Standing } from './claim.ts';
import type { DeviceKind, EvidenceItem } from './evidence.ts';
import { nvidiaRoot } from './roots.ts';
import type { Verifier } from './verifier.ts';

const signed = 'hardware-signed';
const distinct = 'devices-distinct';

/** Leaf, boot ROM of one device, provisioner of its family, identity, root. */
const chainLength = 5;
const provisioner = /^CN=NVIDIA (\S+) Provisioner ICA \d+$/m;

/** Families of which recorded evidence was checked; of others it is not known what they are. */
const kindOfFamily: ReadonlyMap<string, DeviceKind> = new Map([
  ['GH100', 'device'],
  ['GB100', 'device'],
  ['LS_10', 'nvswitch'],
]);

/** Opaque data: the hash of the firmware that made the leaf's key; GPUs tell it, switches do not. */
const firmwareIdField = 20;
const firmwareIdBytes = 48;

export const nvidiaVerifier = createNvidiaVerifier(nvidiaRoot);

export function createNvidiaVerifier(root: X509Certificate): Verifier {
  return {
    name: 'nvidia',
    claims: [signed, distinct],
    async verify({ evidence, nowMs }, signal) {
      const { items } = evidence;
      let unsure: Finding | undefined;
      for (const [index, item] of items.entries()) {
        const fault = faultOf(item, { root, nowMs });
        if (fault) {
          const detail = `Report ${index + 1} of ${items.length} ${fault.reason}.`;
          const finding = { claim: signed, standing: fault.standing, detail };
          if (fault.standing === 'refuted') return [finding];
          unsure ??= finding;
        }
        // A handful of signatures each: others get their turn in between.
        await nextTurn(undefined, { signal });
      }
      if (unsure) return [unsure];
      const detail = `${describe(items)} signed, up to the pinned root of NVIDIA.`;
      return [{ claim: signed, standing: 'asserted', detail }, judgeDistinct(items)];
    },
  };
}

type Fault = { readonly standing: Standing; readonly reason: string };
const refuted = (reason: string): Fault => ({ standing: 'refuted', reason });

function faultOf(
  { kind, chain, report }: EvidenceItem,
  trusted: { readonly root: X509Certificate; readonly nowMs: number },
): Fault | undefined {
  const [leaf] = chain;
  if (!leaf || chain.length !== chainLength) return refuted('has a chain of another length');
  const chainFault = faultOfChain(chain, trusted);
  if (chainFault) return refuted(chainFault);
  const key = { key: leaf.publicKey, dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha384', report.signedBytes, key, report.signature)) {
    return refuted('has a signature that does not hold');
  }
  const firmwareId = report.opaque.get(firmwareIdField);
  if (firmwareId && !holds(leaf, firmwareId)) {
    return refuted('is of other firmware than its certificate');
  }
  const actual = kindOfFamily.get(familyOf(chain));
  if (actual === undefined) {
    return { standing: 'unknown', reason: 'is of a family of devices that is not known here' };
  }
  return actual === kind ? undefined : refuted('is of another kind of device than it says');
}

const holds = (leaf: X509Certificate, firmwareId: Uint8Array): boolean =>
  firmwareId.length === firmwareIdBytes && leaf.raw.includes(Buffer.from(firmwareId));

/** Of a chain that leads to the root, so that the names are NVIDIA's. */
const familyOf = (chain: EvidenceItem['chain']): string =>
  provisioner.exec(chain[2]?.subject ?? '')?.[1] ?? '';

function describe(items: readonly EvidenceItem[]): string {
  const families = Map.groupBy(items, ({ chain }) => familyOf(chain));
  return [...families].map(([family, { length }]) => `${length} of ${family}`).join(', ');
}

/** The boot ROM's certificate is of one device. */
function judgeDistinct(items: readonly EvidenceItem[]): Finding {
  const devices = new Set(items.map(({ chain }) => chain[1]?.fingerprint256));
  return devices.size === items.length
    ? { claim: distinct, standing: 'asserted', detail: 'Each report is of another device.' }
    : { claim: distinct, standing: 'refuted', detail: 'Two reports are of one device.' };
}
