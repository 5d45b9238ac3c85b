/** The verifiers that judge nodes' evidence: the built-in ones, then the operator's own. */
import { z } from 'zod';
import { voices } from '../../attestation/claim.ts';
import { nonceVerifier } from '../../attestation/nonce-verifier.ts';
import { nvidiaVerifier } from '../../attestation/nvidia-verifier.ts';
import type { Verifier, VerifierTools } from '../../attestation/verifier.ts';
import { loadPlugins, type PluginEntry } from '../../runtime/plugin.ts';

const builtIn = [nonceVerifier, nvidiaVerifier];
const word = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const shape = z.object({ name: word, claims: z.array(word).min(1).max(32) });

/** @throws where a module cannot be used, or speaks under a name that is taken. */
export async function createVerifiers(
  entries: readonly PluginEntry[],
  options: { readonly folder: string; readonly tools: VerifierTools },
): Promise<readonly Verifier[]> {
  const own = await loadPlugins<VerifierTools, Verifier>(entries, options);
  const taken = new Set<string>([...Object.values(voices), ...builtIn.map(({ name }) => name)]);
  for (const verifier of own) {
    const { name } = shape.parse(verifier);
    if (taken.has(name)) throw new Error(`Two verifiers cannot both be called "${name}"`);
    taken.add(name);
  }
  return [...builtIn, ...own];
}
