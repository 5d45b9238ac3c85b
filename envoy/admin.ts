/** The few questions that we ask Envoy's admin address. */
import type { HostPort } from '../runtime/config.ts';

const deadlineMs = 2000;

/** Requests one admin path; nothing where Envoy does not answer with 200. */
export async function askAdmin(
  admin: HostPort,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<string | undefined> {
  try {
    const response = await fetch(`http://${admin.host}:${admin.port}${path}`, {
      method,
      signal: AbortSignal.timeout(deadlineMs),
    });
    const text = await response.text();
    return response.ok ? text : undefined;
  } catch {
    return undefined;
  }
}

/** The value of one counter or gauge; nothing where there is none. */
export async function readStat(admin: HostPort, name: string): Promise<number | undefined> {
  const pattern = name.replaceAll('.', '\\.');
  const text = await askAdmin(admin, `/stats?filter=^${encodeURIComponent(pattern)}$`);
  const value = /: (\d+)\s*$/.exec(text ?? '')?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Whether Envoy has its configuration and takes requests. */
export async function isReady(admin: HostPort): Promise<boolean> {
  return (await askAdmin(admin, '/ready')) !== undefined;
}
