import { beforeEach, describe, expect, it } from 'vitest';
import { nodeSmallId, suiAddress } from '../../domain/chain-ids.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { type AddressBook, createAddressBook } from './address-book.ts';
import { createAddressRule } from './public-address.ts';

const owner = suiAddress(`0x${'1'.repeat(64)}`);
const { signal } = new AbortController();

/** What the name servers and the chain say; a missing list is no answer. */
let hosts: Map<string, readonly string[]>;
let badges: readonly bigint[];
let isChainAway: boolean;
let book: AddressBook;

beforeEach(() => {
  hosts = new Map([['node.example', ['9.9.9.9']]]);
  badges = [7n];
  isChainAway = false;
  book = createAddressBook({
    fullNode: {
      async *nodeBadges() {
        if (isChainAway) throw new Error('away');
        yield badges.map((id) => ({ objectId: owner, nodeId: nodeSmallId(id) }));
      },
    },
    lookupAll: async (host) => {
      const addresses = hosts.get(host);
      if (!addresses) throw new Error('no answer');
      return addresses;
    },
    isAllowed: createAddressRule([]),
    signal,
    log: silentLog,
  });
});

const registered = (publicAddress = 'https://node.example') => [
  { nodeId: '7', owner, publicAddress, country: 'CH', hash: publicAddress },
];
const address = () => book.addresses().get('7');

describe('an address', () => {
  it('is the one that was checked, with the name for TLS', async () => {
    await book.update(registered());
    expect(address()).toEqual({
      kind: 'usable',
      host: 'node.example',
      ip: '9.9.9.9',
      port: 443,
      tls: true,
      owner,
    });
  });

  it.each([['10.0.0.1'], ['9.9.9.9', '127.0.0.1'], ['169.254.169.254'], ['::1']])(
    'that becomes %s, %s is dropped, and comes back when it is public again',
    async (...rebound) => {
      await book.update(registered());
      hosts.set('node.example', rebound);
      expect(address()).toMatchObject({ ip: '9.9.9.9' });
      await book.recheckPlaces();
      expect(address()).toEqual({ kind: 'unusable', reason: 'its host is not public' });
      hosts.delete('node.example');
      await book.recheckPlaces();
      expect(address()).toMatchObject({ kind: 'unusable' });
      hosts.set('node.example', ['9.9.9.10']);
      await book.recheckPlaces();
      expect(address()).toMatchObject({ ip: '9.9.9.10' });
    },
  );

  it('stays while the name servers are silent', async () => {
    await book.update(registered());
    hosts.clear();
    await book.recheckPlaces();
    expect(address()).toMatchObject({ ip: '9.9.9.9' });
  });

  it('of a host without an answer is not there, with the reason', async () => {
    await book.update(registered('https://other.example'));
    expect(address()).toEqual({ kind: 'unusable', reason: 'its host has no address' });
  });

  it('follows a new registration, and goes with it', async () => {
    await book.update(registered());
    await book.update(registered('http://9.9.9.11:3000'));
    expect(address()).toMatchObject({ ip: '9.9.9.11', port: 3000, tls: false });
    await book.update([]);
    expect(address()).toBeUndefined();
  });

  it('goes with the badge, and stays while the chain is away', async () => {
    await book.update(registered());
    badges = [8n];
    isChainAway = true;
    await book.recheckOwners();
    expect(address()).toMatchObject({ kind: 'usable' });
    isChainAway = false;
    await book.recheckOwners();
    expect(address()).toEqual({
      kind: 'unusable',
      reason: 'its badge has gone to another owner',
    });
  });
});
