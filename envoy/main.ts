/** Prints Envoy's bootstrap for the environment: what a container gives to the official image. */
import { configOrThrow } from '../runtime/config.ts';
import { createBootstrap } from './bootstrap.ts';
import { envoyConfig } from './config.ts';

const config = configOrThrow(envoyConfig, process.env);
const bootstrap = createBootstrap({
  nodeId: config.ATOMA_ENVOY_ID,
  admin: config.ATOMA_ENVOY_ADMIN,
  controlPlanes: config.ATOMA_CONTROL_PLANE_ADDRESSES,
  heapBytesMax: config.ATOMA_ENVOY_HEAP_BYTES_MAX,
  connectionsMax: config.ATOMA_ENVOY_CONNECTIONS_MAX,
});
process.stdout.write(`${JSON.stringify(bootstrap, undefined, 2)}\n`);
