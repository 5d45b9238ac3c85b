import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signRegistration } from '../chain/node-registration.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { until } from '../test/until.ts';
import { keepRegistered } from './gateway-registration.ts';
import { listenOn } from './listening.ts';

describe('a node', () => {
  it('tells the gateway its address again where the gateway has taken it before', async () => {
    const key = parseKeystoreEntry(toKeystoreEntry(new Uint8Array(32).fill(5)));
    if (!key) throw new Error('a seed gives a key');
    const answers = [200, 200, 400, 200];
    let asked = 0;
    let taken = 0;
    const server = createServer((_request, response) => {
      response.writeHead(answers[asked] ?? 200).end();
      asked += 1;
    });
    const gateway = await listenOn(server, { host: '127.0.0.1', port: 0 });
    const ending = new AbortController();
    const running = keepRegistered({
      gatewayUrl: gateway.url,
      body: signRegistration(key, {
        node_small_id: 1,
        public_address: 'http://127.0.0.1:1',
        country: 'NO',
      }),
      repeatMs: 20,
      taken: () => {
        taken += 1;
      },
      log: silentLog,
      signal: ending.signal,
    });
    await until('it has told it after a refusal', () => asked > answers.length);
    ending.abort();
    await running;
    await gateway.close();
    expect(asked).toBeGreaterThan(answers.length);
    // At first, and again after the refusal.
    expect(taken).toBe(2);
  });
});
