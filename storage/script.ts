/** Lua scripts as files: called by hash, sent in full where a server does not know the hash (it restarted, or is new). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from './redis.ts';

type ScriptCall = { readonly keys: readonly string[]; readonly args: readonly string[] };
export type Script = (redis: Redis, call: ScriptCall) => Promise<unknown>;

const read = (name: string) =>
  readFileSync(join(import.meta.dirname, 'lua', `${name}.lua`), 'utf8');

/** Joins the named files, the script itself last. */
function loadScript(...names: readonly string[]): Script {
  const text = names.map(read).join('\n');
  const hash = createHash('sha1').update(text).digest('hex');
  return async (redis, { keys, args }) => {
    const rest = [String(keys.length), ...keys, ...args];
    try {
      return await redis.send(keys[0], ['EVALSHA', hash, ...rest]);
    } catch (cause) {
      if (!(cause instanceof Error && cause.message.startsWith('NOSCRIPT'))) throw cause;
      return redis.send(keys[0], ['EVAL', text, ...rest]);
    }
  };
}

export const scripts = {
  reserve: loadScript('common', 'account', 'reserve'),
  settle: loadScript('common', 'account', 'settle'),
  release: loadScript('common', 'account', 'release'),
  expire: loadScript('common', 'account', 'expire'),
  renew: loadScript('common', 'renew'),
  credit: loadScript('common', 'account', 'credit'),
  lockAdd: loadScript('common', 'lock-add'),
  lockTake: loadScript('common', 'lock-take'),
  withdraw: loadScript('common', 'account', 'withdraw'),
  giveBack: loadScript('common', 'account', 'give-back'),
  audit: loadScript('audit'),
  unitReserve: loadScript('common', 'unit-reserve'),
  unitSettle: loadScript('common', 'unit-settle'),
  unitExpire: loadScript('common', 'unit-expire'),
  unitSync: loadScript('common', 'unit-sync'),
  unitRefuse: loadScript('common', 'unit-refuse'),
  sealingKeys: loadScript('sealing-keys'),
  leaseAcquire: loadScript('lease-acquire'),
  leaseRenew: loadScript('lease-renew'),
  leaseRelease: loadScript('lease-release'),
  chainCommit: loadScript('chain-commit'),
  nodeRegister: loadScript('node-register'),
  keeperCommit: loadScript('withdrawal', 'keeper-commit'),
  withdrawalPropose: loadScript('common', 'withdrawal-propose'),
  withdrawalMove: loadScript('withdrawal', 'withdrawal-move'),
  depositRecord: loadScript('deposit', 'deposit-record'),
  depositSort: loadScript('deposit', 'deposit-sort'),
  walletChallenge: loadScript('wallet-challenge'),
  walletLink: loadScript('wallet-link'),
};
