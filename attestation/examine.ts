/** Has evidence read and judged, and makes of it a list that leaves nothing out: what nobody looked at is unknown. */
import {
  type Claim,
  detailCharactersMax,
  type Finding,
  openClaims,
  type Standing,
  voices,
} from './claim.ts';
import { type DeviceKind, type Evidence, type Malformed, readEvidence } from './evidence.ts';
import type { KeyCommitment, Verifier } from './verifier.ts';

export type Committed = {
  readonly key: KeyCommitment;
  /** As it stands on the chain; nothing where no event told. */
  readonly compressed: Uint8Array | undefined;
};

export type Examination = {
  readonly claims: readonly Claim[];
  /** What the evidence says that it is of; nothing where it cannot be read. */
  readonly devices: Readonly<Record<DeviceKind, number>> | undefined;
};

export type ExamineOptions = {
  readonly verifiers: readonly Verifier[];
  readonly nowMs: number;
  /** Ends the verifiers' work: what they have not said by then is unknown. */
  readonly signal: AbortSignal;
  /** Told of what a verifier throws. */
  readonly onFailure: (cause: unknown, verifier: string) => void;
};

const wellFormed = 'evidence-well-formed';

export async function examine(
  { key, compressed }: Committed,
  options: ExamineOptions,
): Promise<Examination> {
  const isGiven = compressed !== undefined && compressed.length > 0;
  const evidence = isGiven ? await readEvidence(compressed) : undefined;
  const judged =
    evidence?.kind === 'evidence'
      ? await judgeAll(evidence, { key, options })
      : unjudged(options.verifiers, evidence ? 'cannot be read' : 'is not there');
  return {
    claims: withOpen([judgeRotation(key), judgeForm(evidence), ...judged]),
    devices: evidence?.kind === 'evidence' ? countDevices(evidence) : undefined,
  };
}

/** All claims of a node whose evidence nobody looked at; `state` says why, after "The evidence". */
export function unexamined(verifiers: readonly Verifier[], state: string): Examination {
  const form = { claim: wellFormed, detail: `The evidence ${state}.` };
  const claims = [byNobody(form), ...unjudged(verifiers, state)];
  return { claims: withOpen(claims), devices: undefined };
}

/** Adds what nobody has spoken of. */
function withOpen(claims: readonly Claim[]): readonly Claim[] {
  const spokenOf = new Set(claims.map(({ claim }) => claim));
  return [...claims, ...openClaims.filter(({ claim }) => !spokenOf.has(claim)).map(byNobody)];
}

function judgeRotation({ rotation, rotationNonce }: KeyCommitment): Claim {
  const claim = 'key-current';
  return rotationNonce === undefined
    ? sentence(voices.chain, claim, 'refuted', `The network left rotation ${rotation} behind.`)
    : sentence(voices.chain, claim, 'asserted', `The network is at rotation ${rotation}.`);
}

function judgeForm(evidence: Evidence | Malformed | undefined): Claim {
  const claim = wellFormed;
  if (!evidence) {
    return sentence(voices.structure, claim, 'unknown', 'The node committed no evidence.');
  }
  return evidence.kind === 'malformed'
    ? sentence(voices.structure, claim, 'refuted', evidence.reason)
    : sentence(voices.structure, claim, 'asserted', 'It is in the form that nodes commit.');
}

const sentence = (by: string, claim: string, standing: Standing, detail: string): Claim => ({
  claim,
  standing,
  by,
  detail,
});

const byNobody = ({ claim, detail }: Pick<Finding, 'claim' | 'detail'>): Claim =>
  sentence(voices.nobody, claim, 'unknown', detail);

const unjudged = (verifiers: readonly Verifier[], state: string): readonly Claim[] =>
  verifiers.flatMap(({ claims }) =>
    claims.map((claim) => byNobody({ claim, detail: `The evidence ${state}.` })),
  );

async function judgeAll(
  evidence: Evidence,
  { key, options }: { readonly key: KeyCommitment; readonly options: ExamineOptions },
): Promise<readonly Claim[]> {
  const { verifiers, nowMs, signal, onFailure } = options;
  const judged = verifiers.map(async (verifier) => {
    try {
      const findings = await untilAborted(
        verifier.verify({ evidence, key, nowMs }, signal),
        signal,
      );
      return claimsOf(verifier, findings);
    } catch (cause) {
      onFailure(cause, verifier.name);
      return claimsOf(verifier, []);
    }
  });
  return (await Promise.all(judged)).flat();
}

/** A verifier speaks of what it declared, and of all of it; a claim that it finds twice stands twice. */
function claimsOf({ name, claims }: Verifier, findings: readonly Finding[]): readonly Claim[] {
  return claims.flatMap((claim) => {
    const found = findings.filter((finding) => finding.claim === claim);
    if (found.length === 0) return sentence(name, claim, 'unknown', 'Came to no result.');
    return found.map(({ standing, detail }) =>
      sentence(name, claim, standing, detail.slice(0, detailCharactersMax)),
    );
  });
}

/** Leaves work behind that does not heed the signal. */
async function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function countDevices({ items }: Evidence): Readonly<Record<DeviceKind, number>> {
  const count = (wanted: DeviceKind) => items.filter(({ kind }) => kind === wanted).length;
  return { device: count('device'), nvswitch: count('nvswitch') };
}
