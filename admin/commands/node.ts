/** `node list`: the nodes that Envoy balances over now, as Envoy itself tells. */
import type { Command } from 'commander';
import { z } from 'zod';
import { endpointMetadata } from '../../domain/names.ts';
import { answer, type CommandContext, CommandError, type Output } from '../command.ts';

const deadlineMs = 3000;
const modelPrefix = 'model:';

const endpoint = z.object({
  endpoint: z.object({
    address: z.object({
      socket_address: z.object({ address: z.string(), port_value: z.number() }),
    }),
  }),
  health_status: z.string().default('UNKNOWN'),
  load_balancing_weight: z.number().default(1),
  metadata: z
    .object({ filter_metadata: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .optional(),
});

const dump = z.object({
  configs: z.array(
    z.object({
      dynamic_endpoint_configs: z
        .array(
          z.object({
            endpoint_config: z.object({
              cluster_name: z.string(),
              endpoints: z
                .array(z.object({ lb_endpoints: z.array(endpoint).default([]) }))
                .default([]),
            }),
          }),
        )
        .default([]),
    }),
  ),
});

export function addNodeCommands(program: Command, context: CommandContext): void {
  const node = program.command('node').description('nodes');
  node
    .command('list')
    .description('the nodes that Envoy sends requests to')
    .option('--json', 'print JSON')
    .action(async (options: Output) => {
      const admin = context.envoyAdmin();
      if (admin === undefined) {
        throw new CommandError('No running instance is known: set ATOMA_ENVOY_ADMIN.');
      }
      const value = nodesOf(await readDump(admin));
      const rows = value.map((one) => ({ ...one, weight: String(one.weight) }));
      answer(context, options, { value, rows, ...(rows.length ? {} : { note: 'no nodes' }) });
    });
}

async function readDump(admin: string) {
  const url = `http://${admin}/config_dump?resource=dynamic_endpoint_configs&include_eds`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
    const json: unknown = await response.json();
    return dump.parse(wrapped(json));
  } catch (cause) {
    throw new CommandError(
      `Envoy's admin address ${admin} does not answer as expected: ${String(cause)}`,
    );
  }
}

/** Asked for one kind of resource, Envoy lists the resources themselves. */
function wrapped(json: unknown): unknown {
  const list = z.object({ configs: z.array(z.unknown()).default([]) }).parse(json).configs;
  return { configs: [{ dynamic_endpoint_configs: list }] };
}

function nodesOf({ configs }: z.infer<typeof dump>) {
  return configs
    .flatMap((config) => config.dynamic_endpoint_configs)
    .map((config) => config.endpoint_config)
    .filter(({ cluster_name: cluster }) => cluster.startsWith(modelPrefix))
    .flatMap(({ cluster_name: cluster, endpoints }) =>
      endpoints
        .flatMap((locality) => locality.lb_endpoints)
        .map((one) => viewEndpoint(cluster.slice(modelPrefix.length), one)),
    )
    .sort((left, right) =>
      `${left.model} ${left.node}`.localeCompare(`${right.model} ${right.node}`),
    );
}

function viewEndpoint(model: string, one: z.infer<typeof endpoint>) {
  const metadata = one.metadata?.filter_metadata[endpointMetadata.namespace] ?? {};
  const text = (field: string) => String(metadata[field] ?? '');
  const { address, port_value: port } = one.endpoint.address.socket_address;
  return {
    model,
    node: text(endpointMetadata.node),
    address: `${address}:${port}`,
    protocol: text(endpointMetadata.protocol),
    weight: one.load_balancing_weight,
    stack: text(endpointMetadata.stack),
    health: one.health_status.toLowerCase(),
  };
}
