/**
 * Which addresses a stranger may make the gateway call: those that the internet routes, and what the operator allows
 * beside them (IANA registries of special-purpose addresses).
 */
import { BlockList, isIP, isIPv6 } from 'node:net';

const notPublicV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  // A cloud's metadata, at an address that looks public.
  ['168.63.129.16', 32],
] as const;

/** Of IPv6 only this is routed; what maps, tunnels or translates IPv4 lies outside of it or is listed below. */
const publicV6 = ['2000::', 3] as const;

const notPublicV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
] as const;

export type AddressRange = { readonly address: string; readonly prefix: number };

/** Reads `10.0.0.0/8` or `fd00::/8`; nothing where it is neither. */
export function parseRange(text: string): AddressRange | undefined {
  const match = /^([0-9a-fA-F.:]{2,39})\/(\d{1,3})$/.exec(text);
  const [, address = '', digits = ''] = match ?? [];
  const prefix = Number(digits);
  const bits = isIPv6(address) ? 128 : 32;
  return match && isIP(address) !== 0 && prefix <= bits ? { address, prefix } : undefined;
}

export type IsAllowed = (ip: string) => boolean;

/** `allowed` goes before everything else. */
export function createAddressRule(allowed: readonly AddressRange[]): IsAllowed {
  const ranges = new BlockList();
  for (const { address, prefix } of allowed) ranges.addSubnet(address, prefix, familyOf(address));
  return (ip) => isIP(ip) !== 0 && (ranges.check(ip, familyOf(ip)) || isPublic(ip));
}

function isPublic(ip: string): boolean {
  if (isIPv6(ip)) return routedV6.check(ip, 'ipv6') && !specialV6.check(ip, 'ipv6');
  return !specialV4.check(ip, 'ipv4');
}

const familyOf = (ip: string) => (isIPv6(ip) ? 'ipv6' : 'ipv4');

const specialV4 = new BlockList();
for (const [address, prefix] of notPublicV4) specialV4.addSubnet(address, prefix, 'ipv4');
const routedV6 = new BlockList();
routedV6.addSubnet(...publicV6, 'ipv6');
const specialV6 = new BlockList();
for (const [address, prefix] of notPublicV6) specialV6.addSubnet(address, prefix, 'ipv6');
