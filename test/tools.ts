/** The binaries that tests run, fetched once and shared by all runs. */
import { resolveEnvoy } from '../launch/tools/envoy.ts';

// biome-ignore lint/style/noProcessEnv: the entry of test code to the machine, as main.ts is for the product
const env = process.env;

const options = { env, progress: () => undefined };

export const testEnv: Readonly<Record<string, string | undefined>> = env;
export const envoyBinary = (): Promise<string> => resolveEnvoy(options);
