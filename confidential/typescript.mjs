/**
 * Lets Node run this package where it is installed: Node itself strips types outside of `node_modules` only. Import it
 * before anything that is TypeScript.
 */
import { readFileSync } from 'node:fs';
import * as loader from 'node:module';

const root = new URL('..', import.meta.url).href;

if (typeof loader.registerHooks !== 'function') {
  throw new Error(`Node 24 or later is needed; this is ${process.version}`);
}
loader.registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith(root) || !url.endsWith('.ts')) return nextLoad(url, context);
    const source = loader.stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'));
    return { format: 'module', source, shortCircuit: true };
  },
});
