/** An account with credit and a key of its own. */
import { scopes as allScopes, type KeyLimits, noLimits, type Scope } from '../domain/api-key.ts';
import type { PicoUsd } from '../domain/money.ts';
import type { Storage } from '../storage/storage.ts';

/** Without scopes, models or limits the key may do everything. */
export type AccountOrder = {
  readonly name: string;
  readonly credit: PicoUsd;
  readonly scopes?: readonly Scope[] | undefined;
  readonly models?: readonly string[] | undefined;
  readonly limits?: Partial<KeyLimits> | undefined;
};

export type OpenedAccount = {
  readonly accountId: string;
  readonly keyId: string;
  readonly apiKey: string;
};

export async function openAccount(
  { accounts, apiKeys }: Pick<Storage, 'accounts' | 'apiKeys'>,
  { name, credit, scopes = allScopes, models, limits }: AccountOrder,
): Promise<OpenedAccount> {
  const { id: accountId } = await accounts.create({ name });
  await accounts.credit({ accountId, amount: credit, reference: name });
  const { key, text } = await apiKeys.create({
    accountId,
    name,
    expiresMs: undefined,
    scopes,
    models,
    limits: { ...noLimits, ...limits },
  });
  return { accountId, keyId: key.id, apiKey: text };
}
