import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signBody } from '../chain/request-signature.ts';
import { localModels, localNodes } from './local-network.ts';
import { type Devnet, startDevnet } from './network.ts';

const owner = parseKeystoreEntry(toKeystoreEntry(new Uint8Array(32).fill(1)));
const stackOwnerAddress = owner?.address ?? '';
const model = 'llama-3.3-70b-instruct';

let devnet: Devnet;
beforeAll(async () => {
  const stackUnits = 1000;
  devnet = await startDevnet({
    models: localModels,
    nodes: localNodes,
    stackOwnerAddress,
    stackUnits,
  });
});
afterAll(() => devnet.close());

const control = (path: string, json: unknown) =>
  fetch(`${devnet.url}/nodes/${path}`, { method: 'PUT', body: JSON.stringify(json) });

const stacksOf = async (node: string) => {
  const response = await fetch(`${devnet.url}/network`);
  const network = devnet.document();
  expect(await response.json()).toEqual(network);
  return network.nodes.find(({ id }) => id === node)?.models[0]?.stacks ?? [];
};

describe('a local network', () => {
  it('lists models and nodes', async () => {
    const { models, nodes } = devnet.document();
    expect(models.map(({ id }) => id)).toContain('bge-m3');
    expect(nodes.map(({ id }) => id)).toEqual(localNodes.map(({ id }) => id));
    const oslo = nodes.find(({ id }) => id === 'oslo');
    expect(oslo).toMatchObject({ protocol: 'atoma', weight: 100 });
    expect(oslo?.signer_address).toMatch(/^0x[0-9a-f]{64}$/);
    expect(await stacksOf('oslo')).toMatchObject([{ units: 1000 }]);
    expect(await stacksOf('kyoto')).toEqual([]);
  });

  it('takes faults and pace by hand', async () => {
    const { url } = devnet.node('kyoto');
    const ask = () => fetch(`${url}/v1/chat/completions`, { method: 'POST', body: '{}' });
    const fault = { kind: 'status', status: 503 };
    expect((await control('kyoto/fault', { fault, requests: 5 })).status).toBe(200);
    expect((await ask()).status).toBe(503);
    expect((await control('kyoto/fault', { fault: null })).status).toBe(200);
    expect((await ask()).status).toBe(400);
    expect((await control('kyoto/pace', { firstTokenMs: 0 })).status).toBe(200);
    expect((await control('kyoto/fault', { fault: { kind: 'rain' } })).status).toBe(400);
    expect((await control('nobody/fault', { fault: null })).status).toBe(404);
  });

  it('sells the next stack before the last is used up', async () => {
    if (!owner) throw new Error('no key');
    const { url } = devnet.node('lima');
    devnet.node('lima').setPace({ firstTokenMs: 0, tokensPerSecond: 0 });
    const used = new Set<string>();
    for (let at = 0; at < 120; at += 1) {
      const stack = (await stacksOf('lima'))[0]?.id ?? '';
      used.add(stack);
      const messages = [{ role: 'user', content: 'hi' }];
      const body = JSON.stringify({ model, messages, max_tokens: 30 });
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'x-signature': signBody(owner, body),
          'x-stack-small-id': stack,
        },
      });
      expect(response.status).toBe(200);
      await response.text();
    }
    expect(used.size).toBeGreaterThan(2);
  });
});
