/** The operator's hand on a running full node, over HTTP with JSON: money, faults, time. */
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { isValidSuiAddress } from '@mysten/sui/utils';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { listenOn } from '../listening.ts';
import type { FullNode } from './full-node.ts';
import { faultChangesSchema } from './node-faults.ts';

const amount = z.coerce.bigint().positive();
const orders = {
  fund: z.strictObject({
    address: z.string().refine(isValidSuiAddress),
    /** In millionths of a USDC. */
    usdc: amount.optional(),
    mist: amount.optional(),
  }),
  prune: z.strictObject({ below: z.coerce.bigint() }),
  restart: z.strictObject({ awayMs: z.int().min(0).max(600_000) }),
} as const;

export type Control = { readonly url: string; close(): Promise<void> };

/** Starts listening; whoever reaches the address may do everything. */
export function startControl(
  node: FullNode,
  options: { readonly host?: string; readonly port?: number } = {},
): Promise<Control> {
  const { host = '127.0.0.1', port = 0 } = options;
  const listener = getRequestListener(createApp(node).fetch);
  return listenOn(
    createServer((request, response) => void listener(request, response)),
    { host, port },
  );
}

function createApp(node: FullNode): Hono {
  const app = new Hono();
  app.get('/', (context) => context.json(stateOf(node)));
  app.put('/faults', (context) =>
    obey(context, faultChangesSchema, (changes) => node.faults.set(changes)),
  );
  app.delete('/faults', (context) => {
    node.faults.clear();
    return context.json(node.faults.current());
  });
  app.post('/fund', (context) =>
    obey(context, orders.fund, ({ address, usdc, mist }) => {
      if (usdc !== undefined) node.fund(address, usdc);
      if (mist !== undefined) node.fundGas(address, mist);
    }),
  );
  app.post('/prune', (context) => obey(context, orders.prune, ({ below }) => node.prune(below)));
  app.post('/restart', (context) =>
    obey(context, orders.restart, ({ awayMs }) => node.restart(awayMs)),
  );
  app.post('/epoch', (context) => obey(context, z.unknown(), () => node.advanceEpoch()));
  app.post('/land', (context) => obey(context, z.unknown(), () => node.landHeld()));
  return app;

  async function obey<Order>(
    context: Context,
    schema: z.ZodType<Order>,
    run: (order: Order) => unknown,
  ): Promise<Response> {
    const body: unknown = await context.req.json().catch(() => ({}));
    const order = schema.safeParse(body);
    if (!order.success) return context.json({ error: z.prettifyError(order.error) }, 400);
    await run(order.data);
    return context.json(stateOf(node));
  }
}

function stateOf(node: FullNode) {
  const { ledger, chainId } = node.chain;
  return {
    address: node.address,
    chainId: chainId(),
    epoch: String(ledger.epoch().number),
    height: String(ledger.history.height()),
    lowest: String(ledger.history.lowest()),
    faults: node.faults.current(),
  };
}
