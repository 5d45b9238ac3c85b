/** Where a node says that it listens, made an address that may be called: resolved once, and used as resolved. */
import { isIP } from 'node:net';
import type { FleetNode } from '../../domain/fleet.ts';
import { parseNodeUrl } from '../discovery/declaration.ts';
import type { IsAllowed } from './public-address.ts';

/** All addresses of a host, IPv4 first; none, or an error, where none is known. */
export type LookupAll = (host: string) => Promise<readonly string[]>;

export type NodePlace = Pick<FleetNode, 'host' | 'ip' | 'port' | 'tls'>;

export type PlaceResult =
  | { readonly kind: 'place'; readonly place: NodePlace }
  /** Not to be called, whatever a name server says later. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No answer: what was known before may still hold. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Every address of the host must be allowed: one that is not shows what the host is for. */
export async function findPlace(
  publicAddress: string,
  { lookupAll, isAllowed }: { lookupAll: LookupAll; isAllowed: IsAllowed },
): Promise<PlaceResult> {
  const url = parseNodeUrl(publicAddress);
  if (!url) return { kind: 'refused', reason: 'its address is not http(s)://host:port' };
  const addresses = await addressesOf(url.host, lookupAll);
  const [ip] = addresses;
  if (ip === undefined) return { kind: 'unknown', reason: 'its host has no address' };
  if (!addresses.every(isAllowed)) return { kind: 'refused', reason: 'its host is not public' };
  return { kind: 'place', place: { ...url, ip } };
}

async function addressesOf(host: string, lookupAll: LookupAll): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  try {
    return await lookupAll(host);
  } catch {
    return [];
  }
}
