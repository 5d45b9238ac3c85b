/** Reads the gateway's own keys, once, before anything is started that needs them. */
import { readKeyFile } from '../../chain/key-file.ts';
import type { SigningKey } from '../../chain/keystore.ts';
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';

type OpenedParty = { readonly address: SuiAddress; readonly key: SigningKey | undefined };

/** Who the gateway is on the chain. */
export type Parties = {
  readonly stackOwner: OpenedParty;
  /** Nothing where there is no treasury. */
  readonly treasury: OpenedParty | undefined;
};

/** An address, or the file of the key that it belongs to, or both. */
type Named = { readonly address: SuiAddress | undefined; readonly keyFile: string | undefined };

/** Throws where a file holds no key or that of another address, and where both parties are one. */
export async function openParties(
  { owner, treasury }: { readonly owner: Named; readonly treasury: Named | undefined },
  passphrase: string | undefined,
): Promise<Parties> {
  const stackOwner = await openParty(owner, { name: 'stack owner', passphrase });
  const opened = treasury && (await openParty(treasury, { name: 'treasury', passphrase }));
  if (opened?.address === stackOwner.address) {
    throw new Error(
      'the treasury and the stack owner are one; nodes can make that key sign anything',
    );
  }
  return { stackOwner, treasury: opened };
}

async function openParty(
  { address, keyFile }: Named,
  { name, passphrase }: { readonly name: string; readonly passphrase: string | undefined },
): Promise<OpenedParty> {
  if (keyFile === undefined) {
    if (address === undefined) throw new TypeError(`the ${name} has neither address nor key`);
    return { address, key: undefined };
  }
  const key = await readKeyFile(keyFile, { passphrase });
  const own = suiAddress(key.address);
  if (address !== undefined && address !== own) {
    throw new Error(`the ${name} should be ${address}, but its key file holds the key of ${own}`);
  }
  return { address: own, key };
}
