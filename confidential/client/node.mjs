/** The client for Node, where it is installed as a package. */
import '../typescript.mjs';

export const { sealedFetch } = await import('./sealed-fetch.ts');
export const { UnprovenError, UnsealableError } = await import('./errors.ts');
