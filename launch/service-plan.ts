/** Which service processes a gateway has, and the settings that make them find each other. */
import type { HostPort } from '../runtime/config.ts';
import { toText } from './ports.ts';

export type ServicePlan = {
  readonly name: string;
  /** The folder whose `main.ts` it runs. */
  readonly folder: string;
  readonly metrics: HostPort;
  readonly settings: Readonly<Record<string, string>>;
};

export type Replicas = { readonly extAuthz: number; readonly extProc: number };

/** How many ports `planServices` takes. */
export const portsOf = ({ extAuthz, extProc }: Replicas): number => 3 + 2 * (extAuthz + extProc);

/** The services on the given loopback ports; `xds` is where Envoy finds the control plane. */
export function planServices(options: {
  readonly redisUrl: string;
  readonly listen: HostPort;
  readonly replicas: Replicas;
  readonly ports: readonly number[];
}): { readonly services: readonly ServicePlan[]; readonly xds: HostPort } {
  const { redisUrl, listen, replicas } = options;
  const ports = [...options.ports];
  const nextPort = (): HostPort => ({ host: '127.0.0.1', port: ports.pop() ?? 0 });
  const xds = nextPort();
  const api = nextPort();
  const metrics = nextPort();
  const replicate = (count: number) =>
    Array.from({ length: count }, () => ({ listen: nextPort(), metrics: nextPort() }));
  const extAuthz = replicate(replicas.extAuthz);
  const extProc = replicate(replicas.extProc);
  const addresses = (list: typeof extAuthz) => list.map((one) => toText(one.listen)).join(',');

  const controlPlane: ServicePlan = {
    name: 'control-plane',
    folder: 'control-plane',
    metrics,
    settings: {
      REDIS_URL: redisUrl,
      ATOMA_LISTEN: toText(listen),
      ATOMA_CONTROL_PLANE_LISTEN: toText(xds),
      ATOMA_API_LISTEN: toText(api),
      ATOMA_API_ADDRESSES: toText(api),
      ATOMA_CONTROL_PLANE_METRICS_LISTEN: toText(metrics),
      ATOMA_EXT_AUTHZ_ADDRESSES: addresses(extAuthz),
      ATOMA_EXT_PROC_ADDRESSES: addresses(extProc),
    },
  };
  const others = [
    ...extAuthz.map((ports, index) => toPlan('ext-authz', index, { redisUrl, ...ports })),
    ...extProc.map((ports, index) => toPlan('ext-proc', index, { redisUrl, ...ports })),
  ];
  return { services: [controlPlane, ...others], xds };
}

function toPlan(
  folder: string,
  index: number,
  options: { redisUrl: string; listen: HostPort; metrics: HostPort },
): ServicePlan {
  const prefix = `ATOMA_${folder.replace('-', '_').toUpperCase()}`;
  return {
    name: `${folder}-${index + 1}`,
    folder,
    metrics: options.metrics,
    settings: {
      REDIS_URL: options.redisUrl,
      [`${prefix}_LISTEN`]: toText(options.listen),
      [`${prefix}_METRICS_LISTEN`]: toText(options.metrics),
    },
  };
}
