import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Control, startControl } from './control.ts';
import { type FullNode, startFullNode } from './full-node.ts';
import { createSuiClient, keyOf } from './testing.ts';

let node: FullNode;
let control: Control;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  control = await startControl(node);
});
afterAll(async () => {
  await control.close();
  await node.close();
});

async function send(method: string, path: string, body?: object) {
  const options = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${control.url}${path}`, options);
  return { status: response.status, body: await response.text() };
}

describe('the control address', () => {
  it('tells where the chain stands', async () => {
    const { body } = await send('GET', '/');
    expect(JSON.parse(body)).toMatchObject({ chainId: node.chain.chainId(), epoch: '0' });
  });

  it('funds an address', async () => {
    const address = keyOf(40).toSuiAddress();
    await send('POST', '/fund', { address, usdc: '2500000', mist: 1_000_000 });
    const { balances } = await createSuiClient(node.address).core.listBalances({ owner: address });
    expect(balances.map(({ balance }) => balance)).toEqual(['1000000', '2500000']);
  });

  it('sets only the given faults, and clears all', async () => {
    await send('PUT', '/faults', { latencyMs: 5 });
    await send('PUT', '/faults', { indexLagCheckpoints: 2 });
    expect(node.faults.current()).toMatchObject({ latencyMs: 5, indexLagCheckpoints: 2 });
    await send('DELETE', '/faults');
    expect(node.faults.current()).toMatchObject({ latencyMs: 0, indexLagCheckpoints: 0 });
  });

  it('ends the epoch, prunes and restarts', async () => {
    await send('POST', '/epoch');
    await send('POST', '/prune', { below: 1 });
    await send('POST', '/restart', { awayMs: 0 });
    const { body } = await send('GET', '/');
    expect(JSON.parse(body)).toMatchObject({ epoch: '1', lowest: '1' });
  });

  it('refuses orders that make no sense', async () => {
    expect((await send('POST', '/fund', { address: 'me' })).status).toBe(400);
    expect((await send('PUT', '/faults', { nonsense: true })).status).toBe(400);
    expect((await send('POST', '/prune')).status).toBe(400);
    expect((await send('GET', '/nowhere')).status).toBe(404);
  });
});
