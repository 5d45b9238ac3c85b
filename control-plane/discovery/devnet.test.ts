import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { devnetDiscovery } from './devnet.ts';
import { createFleetRecorder, createTestTools } from './testing.ts';

const network = (units: number) => ({
  models: [
    {
      id: 'org/small',
      endpoints: ['chat'],
      context_tokens: 8192,
      output_tokens_max: 1024,
      media_tokens_max: 1024,
      price: { input: '0.1', cached_input: '0.05', output: '0.4', image: '0', image_pixel: '0' },
    },
  ],
  nodes: [
    {
      id: 'node-1',
      url: 'http://127.0.0.1:4001',
      protocol: 'atoma',
      weight: 100,
      signer_address: `0x${'ab'.repeat(32)}`,
      models: [{ id: 'org/small', stacks: [{ id: '9007199254740993', units }] }],
    },
  ],
});

let answer: { status: number; body: string } = { status: 200, body: '' };
let isEtagUsed = false;
const server = createServer((request, response) => {
  isEtagUsed ||= request.headers['if-none-match'] === '"1"';
  response.writeHead(request.url === '/network' ? answer.status : 404, { etag: '"1"' });
  response.end(answer.body);
});
let url = '';

beforeEach(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const address = server.address();
  url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
});

afterEach(async () => {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
});

describe('discovery from the local network', () => {
  it('follows the registry, and keeps the last good fleet through its faults', async () => {
    const { tools, failures } = createTestTools();
    const { fleets, notify, until } = createFleetRecorder();
    answer = { status: 200, body: JSON.stringify(network(5)) };
    const source = devnetDiscovery.create({ url }, tools);
    try {
      await source.start(notify);
      expect(fleets[0]).toMatchObject({
        models: [{ id: 'org/small', price: { inputToken: 100_000n, cachedInputToken: 50_000n } }],
        nodes: [
          {
            ip: '127.0.0.1',
            models: [{ model: 'org/small', stacks: [{ id: '9007199254740993', units: 5 }] }],
          },
        ],
      });
      for (const fault of [
        { status: 500, body: '' },
        { status: 200, body: '{"models":' },
        { status: 200, body: '{"nodes":[],"extra":1}' },
      ]) {
        const before = failures.length;
        answer = fault;
        await expect.poll(() => failures.length, { timeout: 3000 }).toBeGreaterThan(before);
      }
      expect(fleets).toHaveLength(1);
      answer = { status: 200, body: JSON.stringify(network(4)) };
      await until(({ nodes }) => nodes[0]?.models[0]?.stacks[0]?.units === 4);
      expect(isEtagUsed).toBe(true);
    } finally {
      await source.close();
    }
  });

  it('starts before the registry does', async () => {
    const { tools, failures } = createTestTools();
    const { fleets, notify } = createFleetRecorder();
    const source = devnetDiscovery.create({ url: 'http://127.0.0.1:1' }, tools);
    await source.start(notify);
    await source.close();
    expect([fleets, failures]).toEqual([[], ['devnet']]);
  });

  it('refuses an address that is not one', () => {
    expect(devnetDiscovery.config.safeParse({ url: 'nonsense' }).success).toBe(false);
    expect(devnetDiscovery.config.safeParse({ url, other: 1 }).success).toBe(false);
  });
});
