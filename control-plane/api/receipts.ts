/** Receipts of an account, and what everybody needs to check them: the keys and the roots. */
import type { Context, Hono } from 'hono';
import type { SigningKey } from '../../chain/keystore.ts';
import type { Failure } from '../../domain/failure.ts';
import { headers } from '../../domain/names.ts';
import { invalid } from '../../domain/request-fields.ts';
import { toKeysDocument, toReceiptDocument } from '../../receipts/publishing.ts';
import type { ReceiptBook } from '../../receipts/store.ts';
import { toResponse } from './response.ts';

export type ReceiptPorts = {
  readonly book: ReceiptBook;
  /** The receipt key, once it is published. */
  readonly signer: () => Promise<SigningKey>;
};

const rootsPath = '/v1/receipts/roots';
const keysPath = '/.well-known/atoma-receipts';
const receiptPath = '/v1/receipts/:id';
const rootsPage = 100;

export function addReceiptEndpoints(api: Hono, ports: ReceiptPorts): void {
  api.get(rootsPath, (context) => listRoots(context, ports));
  api.get(keysPath, (context) => listKeys(context, ports));
  api.get(receiptPath, (context) => showReceipt(context, ports));
  for (const path of [rootsPath, keysPath, receiptPath]) {
    api.all(path, () => toResponse({ kind: 'method-not-allowed', allow: 'GET' }));
  }
}

/** Another account's receipt looks like one that does not exist. */
async function showReceipt(context: Context, { book, signer }: ReceiptPorts): Promise<Response> {
  const accountId = context.req.header(headers.account);
  if (accountId === undefined) return toResponse({ kind: 'key-missing' });
  const requestId = context.req.param('id') ?? '';
  const kept = await book.find({ accountId, requestId });
  if (!kept) return toResponse({ kind: 'not-found' });
  const document = toReceiptDocument(kept, await signer());
  return context.json(document, document.status === 'pending' ? 202 : 200);
}

/** A page of roots whose numbers follow `after`; the last one's number leads on. */
async function listRoots(context: Context, { book }: ReceiptPorts): Promise<Response> {
  const after = parseAfter(context.req.query());
  if (typeof after !== 'number') return toResponse(after);
  const roots = await book.roots({ after, limit: rootsPage + 1 });
  const data = roots.slice(0, rootsPage);
  return context.json({ object: 'list', data, has_more: roots.length > rootsPage });
}

function parseAfter(query: Readonly<Record<string, string>>): number | Failure {
  const { after = '0', ...others } = query;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) return invalid(unknown, `There is no parameter "${unknown}".`);
  if (/^\d{1,15}$/.test(after)) return Number(after);
  return invalid('after', '"after" must be the number of a root, or 0.');
}

async function listKeys(context: Context, { book, signer }: ReceiptPorts): Promise<Response> {
  await signer();
  return context.json(toKeysDocument(await book.keys()));
}
