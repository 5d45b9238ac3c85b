/** `npm run verify-receipt`: checks a receipt that the gateway gave, by what it has published. Needs no running gateway. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import {
  type KeysDocument,
  keysDocument,
  type ReceiptDocument,
  receiptDocument,
} from './document.ts';
import { signedRoot } from './root.ts';
import { verifyBodies, verifyChain, verifyDocument } from './verification.ts';

const fetchMs = 10_000;
const rootList = z.object({ data: z.array(signedRoot), has_more: z.boolean() });

const program = new Command('verify-receipt')
  .description('Checks a receipt: its signature, its place in the tree, the signature of the root.')
  .argument('<file>', 'what GET /v1/receipts/{id} answered')
  .requiredOption(
    '--keys <file or URL>',
    'what GET /.well-known/atoma-receipts answers; kept from earlier it tells of keys that were exchanged',
  )
  .option('--request <file>', 'the body that was sent, to compare its hash')
  .option('--response <file>', 'the body that came, a stream with its framing, to compare its hash')
  .option('--roots <file or URL>', 'the chain of roots from the first on, to find this root in');

const args = z.object({
  keys: z.string(),
  roots: z.string().optional(),
  request: z.string().optional(),
  response: z.string().optional(),
});
type Args = z.infer<typeof args>;

async function readJson(source: string): Promise<unknown> {
  if (!/^https?:\/\//.test(source)) return JSON.parse(await readFile(source, 'utf8'));
  const response = await fetch(source, { signal: AbortSignal.timeout(fetchMs) });
  if (!response.ok) throw new Error(`${source} answered ${response.status}`);
  return response.json();
}

/** All pages, where it is a URL. */
async function readRoots(source: string) {
  const roots = [];
  for (let hasMore = true; hasMore; ) {
    const isUrl = /^https?:\/\//.test(source);
    const page = isUrl ? `${source}?after=${roots.length}` : source;
    const list = rootList.parse(await readJson(page));
    roots.push(...list.data);
    hasMore = isUrl && list.has_more;
  }
  return roots;
}

const readMaybe = (file: string | undefined) => (file === undefined ? undefined : readFile(file));

/** What was checked. @throws with the reason of the first check that fails. */
async function verify(file: string, options: Args) {
  const document = receiptDocument.parse(await readJson(file));
  const { receipt_signing_keys: keys } = keysDocument.parse(await readJson(options.keys));
  const request = await readMaybe(options.request);
  const response = await readMaybe(options.response);
  const checks = [
    () => verifyDocument(document, keys),
    () => verifyBodies(document, { request, response }),
    ...(options.roots === undefined
      ? []
      : [await checkOfChain(document, { source: options.roots, keys })]),
  ];
  for (const check of checks) {
    const result = check();
    if (result.kind === 'invalid') throw new Error(result.reason);
  }
  return document;
}

async function checkOfChain(
  { inclusion }: ReceiptDocument,
  { source, keys }: { source: string; keys: KeysDocument['receipt_signing_keys'] },
) {
  if (!inclusion) throw new Error('the receipt is in no tree yet');
  const roots = await readRoots(source);
  return () => verifyChain(roots, { keys, sealedBy: inclusion.root });
}

try {
  program.parse();
  const [file = ''] = program.args;
  const { receipt, status } = await verify(file, args.parse(program.opts()));
  process.stdout.write(`valid: ${receipt.receipt_id}, ${status}\n`);
} catch (cause) {
  const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
  process.stderr.write(`NOT valid: ${reason}\n`);
  process.exitCode = 1;
}
