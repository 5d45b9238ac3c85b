/** Discovery from the local network's registry, by asking it over HTTP several times a second. */
import { z } from 'zod';
import { declarationSchema } from './declaration.ts';
import { Feed } from './feed.ts';
import type { DeclarationResult } from './nodes-yaml.ts';
import type { DiscoveryPlugin } from './source.ts';

const pollMs = 250;
const timeoutMs = 2000;
const notModified = 304;

const config = z.strictObject({ url: z.url({ protocol: /^https?$/ }) });

export const devnetDiscovery = {
  name: 'devnet',
  config,
  create({ url }, tools) {
    const ending = new AbortController();
    let feed: Feed | undefined;
    let polling: Promise<void> | undefined;
    return {
      name: 'devnet',
      async start(notify) {
        const read = createReader(new URL('/network', url), ending.signal);
        feed = new Feed({ name: 'devnet', read, parse: parseNetwork, notify, tools });
        await feed.update();
        polling = poll(feed, ending.signal);
      },
      async close() {
        ending.abort();
        await polling;
        await feed?.close();
      },
    };
  },
} satisfies DiscoveryPlugin<z.infer<typeof config>>;

async function poll(feed: Feed, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, pollMs);
      ended.addEventListener('abort', done, { once: true });
      function done() {
        clearTimeout(timer);
        ended.removeEventListener('abort', done);
        resolve();
      }
    });
    if (!ended.aborted) await feed.update();
  }
}

/** Asks only for what has changed, where the registry knows how to tell. */
function createReader(url: URL, ended: AbortSignal) {
  let etag: string | undefined;
  return async function read(): Promise<string | undefined> {
    const response = await fetch(url, {
      headers: etag === undefined ? {} : { 'if-none-match': etag },
      signal: AbortSignal.any([ended, AbortSignal.timeout(timeoutMs)]),
    });
    const text = await response.text();
    if (response.status === notModified) return undefined;
    if (!response.ok) throw new Error(`the registry answered ${response.status}`);
    etag = response.headers.get('etag') ?? undefined;
    return text;
  };
}

function parseNetwork(text: string): DeclarationResult {
  const result = json.pipe(declarationSchema).safeParse(text);
  if (result.success) return { kind: 'declaration', declaration: result.data };
  return {
    kind: 'problems',
    problems: result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
  };
}

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON' });
    return z.NEVER;
  }
});
