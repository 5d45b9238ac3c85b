/** What is said of a node's evidence, how it stands, and who says so. Nothing here is ever a bare "verified". */

/** `asserted` and `refuted` were found by whoever is named; `unknown` was looked at without a result, or by nobody. */
export type Standing = 'asserted' | 'refuted' | 'unknown';

/** What a verifier says; the host adds whose word it is. */
export type Finding = {
  readonly claim: string;
  readonly standing: Standing;
  /** A sentence for people; cut at `detailCharactersMax`. */
  readonly detail: string;
};

export type Claim = Finding & { readonly by: string };

export const detailCharactersMax = 300;

/** The hosts of findings that no verifier makes. */
export const voices = { structure: 'structure', chain: 'chain', nobody: 'nobody' } as const;

/** What callers ask about and no built-in verifier can answer; a plugin may. */
export const openClaims = [
  {
    claim: 'firmware-known-good',
    detail: 'No reference measurements (RIM) are compared with those in the reports.',
  },
  { claim: 'not-revoked', detail: 'No revocation service (OCSP) is asked.' },
  {
    claim: 'key-in-enclave',
    detail: 'The evidence holds no quote of a CPU: where the private key lives is not shown.',
  },
  {
    claim: 'fresh-for-caller',
    detail: 'Evidence is bound to the nonce of the network’s key rotation, not to one of a caller.',
  },
] as const;
