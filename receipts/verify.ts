/** `npm run verify-receipt`: checks a receipt that the gateway gave, by what it has published. Needs no running gateway. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { keysDocument, receiptDocument } from './document.ts';
import { signedRoot } from './root.ts';
import { verifyChain, verifyDocument } from './verification.ts';

const fetchMs = 10_000;
const rootList = z.object({ data: z.array(signedRoot), has_more: z.boolean() });

const program = new Command('verify-receipt')
  .description('Checks a receipt: its signature, its place in the tree, the signature of the root.')
  .argument('<file>', 'what GET /v1/receipts/{id} answered')
  .requiredOption(
    '--keys <file or URL>',
    'what GET /.well-known/atoma-receipts answers; kept from earlier it tells of keys that were exchanged',
  )
  .option('--roots <file or URL>', 'the chain of roots from the first on, to find this root in');

const args = z.object({ keys: z.string(), roots: z.string().optional() });

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

async function verify(file: string, { keys: source, roots }: z.infer<typeof args>) {
  const document = receiptDocument.parse(await readJson(file));
  const { receipt_signing_keys: keys } = keysDocument.parse(await readJson(source));
  const result = verifyDocument(document, keys);
  if (result.kind === 'invalid' || roots === undefined) return { result, document };
  if (document.status === 'pending') throw new Error('the receipt is in no tree yet');
  const sealedBy = document.inclusion.root;
  return { result: verifyChain(await readRoots(roots), { keys, sealedBy }), document };
}

try {
  program.parse();
  const [file = ''] = program.args;
  const { result, document } = await verify(file, args.parse(program.opts()));
  const { receipt_id: id } = document.receipt;
  if (result.kind === 'invalid') throw new Error(`${id}: ${result.reason}`);
  process.stdout.write(`valid: ${id}, ${document.status}\n`);
} catch (cause) {
  const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
  process.stderr.write(`NOT valid: ${reason}\n`);
  process.exitCode = 1;
}
