import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toKeystoreEntry } from '../chain/keystore.ts';
import { suiAddress } from '../domain/chain-ids.ts';
import { emptyFleet } from '../domain/fleet.ts';
import { keysDocument, receiptDocument } from '../receipts/document.ts';
import { signedRoot } from '../receipts/root.ts';
import { keyOf } from '../receipts/testing.ts';
import { verifyChain, verifyDocument } from '../receipts/verification.ts';
import { createReceiptMetrics, createRegistry } from '../runtime/metrics.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { reserveAndSettle } from '../storage/receipt-testing.ts';
import type { Storage } from '../storage/storage.ts';
import { fundedAccount, openStorage } from '../storage/testing.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { until } from '../test/until.ts';
import { createApi } from './api/app.ts';
import { openReceiptKey, startReceipts } from './receipts.ts';

const key = keyOf(3);
let redis: TestRedis;
let storage: Storage;
let accountId: string;
let receipts: ReturnType<typeof startReceipts>;
beforeAll(async () => {
  redis = await startRedis();
  storage = await openStorage(redis.url);
  accountId = await fundedAccount(storage, 10n ** 12n);
  receipts = startReceipts(
    { ATOMA_RECEIPT_INTERVAL_MS: 100, ATOMA_RECEIPTS_KEPT: 1000 },
    { key, storage, metrics: createReceiptMetrics(createRegistry('test')), log: silentLog },
  );
}, 30_000);
afterAll(async () => {
  await receipts.close();
  storage.close();
  await redis.stop();
});

async function ask(
  path: string,
  options: { account?: string; method?: string; withoutKey?: boolean } = {},
) {
  const api = createApi({
    catalogue: () => ({ version: '', models: [] }),
    findKey: storage.apiKeys.get,
    findAccount: storage.accounts.get,
    usagePage: storage.usage.page,
    nodes: undefined,
    deposits: undefined,
    locks: { fleet: () => emptyFleet, addLock: async () => true, random: () => 0 },
    attestation: undefined,
    receipts: options.withoutKey ? undefined : receipts.ports,
    ping: storage.ping,
    log: silentLog,
  });
  const headers: Record<string, string> =
    options.account === undefined ? {} : { 'x-atoma-account': options.account };
  const response = await api.request(path, { method: options.method ?? 'GET', headers });
  return { status: response.status, body: z.unknown().parse(await response.json()) };
}

const askReceipt = (id: string, account = accountId) => ask(`/v1/receipts/${id}`, { account });

describe('the API of receipts', () => {
  it('shows a receipt as soon as it is settled, and with its proof once it is sealed', async () => {
    const id = await reserveAndSettle(storage, { accountId });
    const first = await askReceipt(id);
    expect([200, 202]).toContain(first.status);
    await until('it is sealed', async () => (await askReceipt(id)).status === 200);
    const sealed = receiptDocument.parse((await askReceipt(id)).body);
    expect(receiptDocument.parse(first.body).receipt).toEqual(sealed.receipt);

    const keys = keysDocument.parse((await ask('/.well-known/atoma-receipts')).body);
    const list = z
      .object({ data: z.array(signedRoot), has_more: z.literal(false) })
      .parse((await ask('/v1/receipts/roots?after=0')).body);
    const { receipt_signing_keys: published } = keys;
    expect(published).toMatchObject([{ until: null }]);
    expect(verifyDocument(sealed, published)).toEqual({ kind: 'valid' });
    if (sealed.status !== 'sealed') throw new Error('not sealed');
    const { root } = sealed.inclusion;
    const chain = verifyChain(list.data, { keys: published, sealedBy: root });
    expect(chain).toEqual({ kind: 'valid' });
  });

  it('publishes the roots after a number', async () => {
    const numbers = async (after: number) => {
      const { body } = await ask(`/v1/receipts/roots?after=${after}`);
      return z
        .object({ data: z.array(signedRoot) })
        .parse(body)
        .data.map(({ number }) => number);
    };
    const count = (await numbers(0)).length;
    await reserveAndSettle(storage, { accountId });
    await until('there is a new root', async () => (await numbers(count)).length > 0);
    expect(await numbers(count)).toEqual([count + 1]);
    expect(await numbers(count + 1)).toEqual([]);
  });

  it("does not know another account's receipt, nor what never was", async () => {
    const id = await reserveAndSettle(storage, { accountId });
    const other = await fundedAccount(storage, 1n);
    const foreign = await askReceipt(id, other);
    expect(foreign).toMatchObject({ status: 404 });
    expect((await askReceipt('nothing')).body).toEqual(foreign.body);
    expect(await ask(`/v1/receipts/${id}`)).toMatchObject({ status: 401 });
  });

  it.each(['/v1/receipts/roots', '/.well-known/atoma-receipts', '/v1/receipts/x'])(
    'is read-only at %s, and is not there without a key',
    async (path) => {
      expect(await ask(path, { method: 'POST', account: accountId })).toMatchObject({
        status: 405,
      });
      expect(await ask(path, { account: accountId, withoutKey: true })).toMatchObject({
        status: 404,
      });
    },
  );

  it.each(['after=-1', 'after=x', 'limit=1'])('refuses ?%s', async (query) => {
    expect(await ask(`/v1/receipts/roots?${query}`)).toMatchObject({ status: 400 });
  });
});

describe('the receipt key', () => {
  it('is one of its own', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atoma-receipts-'));
    const file = join(folder, 'receipt.key');
    await writeFile(file, toKeystoreEntry(Buffer.alloc(32, 3)), { mode: 0o600 });
    const config = { ATOMA_RECEIPT_KEY_FILE: file };
    const stackOwner = { address: suiAddress(key.address), key: undefined };
    const parties = { stackOwner, treasury: undefined };
    try {
      const opened = await openReceiptKey(config, { passphrase: undefined, parties: undefined });
      expect(opened?.address).toBe(key.address);
      await expect(openReceiptKey(config, { passphrase: undefined, parties })).rejects.toThrow(
        /of its own/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
