import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exchangeToJson } from '../domain/exchange-json.ts';
import type { Ending } from '../domain/reservation.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { createCauses } from './causes.ts';
import { type Gateway, startGateway } from './testing/gateway.ts';

let redis: TestRedis;
let replicas: readonly [Gateway, Gateway];
beforeAll(async () => {
  redis = await startRedis();
  const options = { redisUrl: redis.url };
  replicas = [await startGateway(options), await startGateway(options)];
});
afterAll(async () => {
  for (const replica of replicas) await replica.close();
  await redis.stop();
});

const content = 'data: {"choices":[{"delta":{"content":"x"}}]}\n\n';

/** A stream that breaks at the first replica while the log tells its cause to the one named. */
async function breakOff(options: { toldTo: 0 | 1; details: string; isCallerGone: boolean }) {
  const exchange = await replicas[0].reserve();
  const stream = replicas[0].envoy.open({ exchange: exchangeToJson(exchange) });
  await stream.headers(200, { 'content-type': 'text/event-stream' });
  await stream.body(content, false);
  stream.end();
  const { details, isCallerGone } = options;
  await replicas[options.toldTo].envoy.log({
    exchange: exchangeToJson(exchange),
    details,
    isCallerGone,
  });
  return replicas[0].recordOf(exchange);
}

const brokenNode = {
  details: 'upstream_reset_after_response_started{connection_termination}',
  isCallerGone: false,
};

describe('a broken stream', () => {
  it.each([0, 1] as const)(
    'is recorded with the cause that the log tells to replica %i',
    async (toldTo) => {
      expect(await breakOff({ toldTo, ...brokenNode })).toMatchObject({ ending: 'node-truncated' });
    },
  );

  it.each([
    ['downstream_remote_disconnect', true, 'client-aborted'],
    ['response_per_try_idle_timeout', false, 'timed-out'],
    ['ext_proc_error_grpc_error_14', false, 'gateway-failed'],
    ['something_else', false, 'node-failed'],
    ['via_upstream', false, 'client-aborted'],
  ] as const)('with %s (caller gone: %s) is %s', async (details, isCallerGone, ending) => {
    expect(await breakOff({ toldTo: 0, details, isCallerGone })).toMatchObject({ ending });
  });
});

describe('createCauses', () => {
  function start(waitMs: number) {
    const announced: string[] = [];
    const announce = (requestId: string, ending: Ending) =>
      void announced.push(`${requestId} ${ending}`);
    return {
      causes: createCauses({ notices: { announce, listen: () => () => {} }, waitMs }),
      announced,
    };
  }
  const found = (causes: ReturnType<typeof createCauses>, requestId: string) =>
    new Promise<Ending>((resolve) => causes.find(requestId, resolve));

  it('presumes that the caller left where nobody says otherwise in time', async () => {
    expect(await found(start(5).causes, 'a')).toBe('client-aborted');
  });

  it('remembers a word that came first, and passes on what nobody here waits for', async () => {
    const { causes, announced } = start(60_000);
    expect(causes.tell('a', 'timed-out')).toBe(false);
    expect(announced).toEqual(['a timed-out']);
    expect(await found(causes, 'a')).toBe('timed-out');
  });

  it('lets nobody wait once it is closed', async () => {
    const { causes } = start(60_000);
    const waiting = found(causes, 'a');
    causes.close();
    expect(await waiting).toBe('client-aborted');
  });
});
