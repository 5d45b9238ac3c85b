import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { suiAddress } from '../../domain/chain-ids.ts';
import { blake2b256 } from '../blake2b.ts';
import { parseKeystoreEntry, toKeystoreEntry } from '../keystore.ts';
import { buildPayment } from './build.ts';

function walletOf(name: string) {
  const key = parseKeystoreEntry(toKeystoreEntry(blake2b256(name)));
  if (!key) throw new Error('no key');
  return { ...key, address: suiAddress(key.address) };
}

const wallets = { treasury: walletOf('treasury'), owner: walletOf('owner') };
const refOf = (id: number) => ({
  objectId: suiAddress(`0x${String(id).repeat(64)}`),
  version: 1n,
  digest: '11111111111111111111111111111111',
});
const gas = { coins: [refOf(1)], gasPrice: 1n, budgetMist: 1n, epoch: 1n, height: 1n };

/** All but the nonce is known to everybody beforehand. */
const payWith = (nonce: Uint8Array) =>
  buildPayment({
    ...{ wallets, gas, nonce, coins: [refOf(2)] },
    ...{ amount: 5n, recipient: wallets.owner.address },
  });

it('builds a payment whose digest, and so the id of its coin, nobody can foresee', async () => {
  const nonce = randomBytes(32);
  const [one, same, other] = await Promise.all([nonce, nonce, randomBytes(32)].map(payWith));
  expect(same?.digest).toBe(one?.digest);
  expect(other?.digest).not.toBe(one?.digest);
});
