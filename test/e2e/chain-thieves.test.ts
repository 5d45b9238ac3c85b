/** Callers who want money on the chain that is not theirs, through Envoy and the real processes. */
import type { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { Transaction } from '@mysten/sui/transactions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { keyOf } from '../../devnet/sui/testing.ts';
import { connectSui, signAndSend, success } from '../../devnet/sui/wallet.ts';
import { type ChainGateway, startChainGateway } from './chain-gateway.ts';
import { until } from './gateway.ts';

let own: ChainGateway;
beforeAll(async () => {
  own = await startChainGateway({ stackUnits: 40_000, tokensPerSecond: 1000 });
});
afterAll(() => own?.close());

describe('a caller who wants money that is not theirs', () => {
  const call = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${own.gateway.baseUrl}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${own.gateway.apiKey}`,
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) };
  };
  const balance = async () =>
    (await own.gateway.storage.ledger.balance(own.gateway.accountId)).available;

  /** Sends the coin, to the treasury unless told otherwise. */
  async function pay(
    wallet: Ed25519Keypair,
    coin: string,
    to: string = own.treasury,
  ): Promise<string> {
    const { client, close } = connectSui(own.chain.place.fullNode);
    try {
      const tx = new Transaction();
      tx.setSender(wallet.toSuiAddress());
      tx.transferObjects([coin], to);
      return success(await signAndSend(client, { tx, key: wallet })).digest;
    } finally {
      close();
    }
  }

  it('gets nothing for the transfer of another, another coin, another recipient or an unknown transaction', async () => {
    const [victim, thief] = [keyOf(70), keyOf(71)];
    const { fullNode } = own.chain;
    for (const wallet of [victim, thief]) fullNode.fundGas(wallet.toSuiAddress(), 10_000_000_000n);
    const other = await own.gateway.openAccount({ usd: '1' });
    const challenge = await call(
      '/v1/wallets/challenge',
      { address: victim.toSuiAddress() },
      { authorization: `Bearer ${other.apiKey}` },
    );
    const message = z.object({ message: z.string() }).parse(challenge.json).message;
    const proof = await victim.signPersonalMessage(new TextEncoder().encode(message));
    const before = await balance();

    // Neither somebody else's text nor a signature by another key links the wallet.
    const forged = await thief.signPersonalMessage(new TextEncoder().encode(message));
    expect(await call('/v1/wallets', { message, signature: proof.signature })).toMatchObject({
      status: 401,
    });
    expect(
      await call(
        '/v1/wallets',
        { message, signature: forged.signature },
        { authorization: `Bearer ${other.apiKey}` },
      ),
    ).toMatchObject({ status: 401 });
    const linked = await call(
      '/v1/wallets',
      { message, signature: proof.signature },
      { authorization: `Bearer ${other.apiKey}`, 'x-atoma-account': own.gateway.accountId },
    );
    expect(linked.status).toBe(200);

    const foreign = await pay(victim, fullNode.fund(victim.toSuiAddress(), 2_000_000n));
    const otherCoin = await pay(thief, fullNode.fundGas(thief.toSuiAddress(), 5n));
    const elsewhere = await pay(
      thief,
      fullNode.fund(thief.toSuiAddress(), 1_000_000n),
      victim.toSuiAddress(),
    );
    await until(async () =>
      (await own.gateway.storage.depositBooks()).some((book) => book.deposits.length > 0),
    );
    // Before a transaction is final the answer would be 503.
    fullNode.seal();
    for (const digest of [foreign, otherCoin, elsewhere, '1'.repeat(32)]) {
      const forgedHeaders = { 'x-atoma-account': other.accountId };
      expect(await call('/v1/deposits', { digest }, forgedHeaders)).toMatchObject({ status: 404 });
    }
    for (const digest of ['', '0', '1'.repeat(43), 'x'.repeat(1000), '../../etc', 1, null]) {
      expect(await call('/v1/deposits', { digest })).toMatchObject({ status: 400 });
    }
    expect(await balance()).toBe(before);
    await until(async () => {
      const { available } = await own.gateway.storage.ledger.balance(other.accountId);
      return available === 3_000_000_000_000n;
    });
    expect(await own.gateway.storage.audit()).toMatchObject({ ok: true });
  });

  it('finds no path that pays out', async () => {
    for (const path of ['/v1/withdrawals', '/v1/treasury/withdraw', '/v1/account/withdraw']) {
      const order = { address: keyOf(71).toSuiAddress(), usd: '1' };
      expect(await call(path, order)).toMatchObject({ status: 404 });
    }
  });
});

describe('the treasury', () => {
  it('has made no transaction but those that the keeper has on record', async () => {
    await until(async () => (await own.kept()).ended.length > 0);
    await own.gateway.gateway.process('control-plane').stop();
    const { unaccounted } = own.books(2_000_000n);
    // A caller gave it five MIST as well.
    expect(unaccounted).toEqual({ usdc: 0n, mist: -5n });
  });
});
