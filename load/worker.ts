/** A helper process: carries out the orders that come over IPC, and ends with the process that started it. */
import { startBenchNode } from '../devnet/bench-node.ts';
import { localModels, localNodes } from '../devnet/local-network.ts';
import { startDevnet } from '../devnet/network.ts';
import { runLoad } from './callers.ts';
import { type Order, orderSchema } from './orders.ts';
import { runStrangers } from './stranger-callers.ts';

async function carryOut(order: Order): Promise<unknown> {
  switch (order.kind) {
    case 'node': {
      const { url } = await startBenchNode(order);
      return { url };
    }
    case 'network': {
      const { stackOwnerAddress } = order;
      const { url } = await startDevnet({
        models: localModels,
        nodes: localNodes,
        stackOwnerAddress,
      });
      return { url };
    }
    case 'load':
      return await runLoad(order);
    case 'strangers':
      return await runStrangers(order);
  }
}

process.on('message', (message) => {
  void carryOut(orderSchema.parse(message)).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));
