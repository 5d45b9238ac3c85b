#!/usr/bin/env node
/** `npx atoma-seal`: the sealing proxy, also where this package is installed. */
import '../typescript.mjs';

await import('./main.ts');
