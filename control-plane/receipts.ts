/** Receipts: opens their key, seals what has been settled, and lends both to the API. */
import { readKeyFile } from '../chain/key-file.ts';
import type { SigningKey } from '../chain/keystore.ts';
import { startSealing } from '../receipts/sealing.ts';
import { keyIdOf } from '../receipts/signing.ts';
import type { Logger } from '../runtime/log.ts';
import type { createReceiptMetrics } from '../runtime/metrics.ts';
import type { Storage } from '../storage/storage.ts';
import type { ReceiptPorts } from './api/receipts.ts';
import type { Config } from './config.ts';
import type { Parties } from './treasury/keys.ts';

/**
 * Nothing where none is configured.
 * @throws where the file holds no key, or one that also owns stacks or holds money: nodes and callers choose what such keys sign.
 */
export async function openReceiptKey(
  { ATOMA_RECEIPT_KEY_FILE: file }: Pick<Config, 'ATOMA_RECEIPT_KEY_FILE'>,
  { passphrase, parties }: { passphrase: string | undefined; parties: Parties | undefined },
): Promise<SigningKey | undefined> {
  if (file === undefined) return undefined;
  const key = await readKeyFile(file, { passphrase });
  const others = [parties?.stackOwner.address, parties?.treasury?.address];
  if (others.some((address) => address === key.address)) {
    throw new Error('the receipt key is also the stack owner or the treasury; make one of its own');
  }
  return key;
}

export function startReceipts(
  config: Pick<Config, 'ATOMA_RECEIPT_INTERVAL_MS' | 'ATOMA_RECEIPTS_KEPT'>,
  options: {
    readonly key: SigningKey;
    readonly storage: Pick<Storage, 'receipts' | 'sealing'>;
    readonly metrics: ReturnType<typeof createReceiptMetrics>;
    readonly log: Logger;
  },
): { readonly ports: ReceiptPorts; close(): Promise<void> } {
  const { key, storage, metrics, log } = options;
  const { receipts: book } = storage;
  const nowMs = () => Date.now();
  let isAnnounced = false;

  /** Nobody may meet a signature whose key is not published. */
  async function signer(): Promise<SigningKey> {
    if (isAnnounced) return key;
    const publicKey = Buffer.from(key.publicKey).toString('hex');
    await book.announceKey({ keyId: keyIdOf(key.publicKey), publicKey, fromMs: nowMs() });
    isAnnounced = true;
    return key;
  }

  const sealing = startSealing({
    store: storage.sealing({ keptMax: config.ATOMA_RECEIPTS_KEPT }),
    intervalMs: config.ATOMA_RECEIPT_INTERVAL_MS,
    onRoot({ number, size }) {
      metrics.sealed.inc(size);
      metrics.lastRoot.set(number);
    },
    ...{ signer, nowMs, log },
  });
  return { ports: { book, signer }, close: sealing.close };
}
