/** What tests of discovery sources share: tools that listen, and a wait for the next fleet. */
import { isIP } from 'node:net';
import type { Fleet } from '../../domain/fleet.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import type { DiscoveryTools } from './source.ts';

export function createTestTools() {
  const failures: string[] = [];
  const tools: DiscoveryTools = {
    log: silentLog,
    lookup: async (host) => {
      if (host.endsWith('.test') || isIP(host) !== 0) return '192.0.2.1';
      throw new Error(`no address for ${host}`);
    },
    countFailure: (source) => failures.push(source),
  };
  return { tools, failures };
}

/** Collects fleets and waits for one that fulfils a condition. */
export function createFleetRecorder() {
  const fleets: Fleet[] = [];
  return {
    fleets,
    notify: (fleet: Fleet) => void fleets.push(fleet),
    async until(condition: (fleet: Fleet) => boolean, deadlineMs = 5000): Promise<Fleet> {
      const endMs = Date.now() + deadlineMs;
      while (Date.now() < endMs) {
        const last = fleets.at(-1);
        if (last && condition(last)) return last;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`no such fleet within ${deadlineMs} ms`);
    },
  };
}
