/** Settings of the chain: which one, through which full node, whose stacks, and what strangers may name. */
import { z } from 'zod';
import { integerSetting } from '../runtime/config.ts';
import { addressSetting } from './address-setting.ts';
import { type AddressRange, parseRange } from './nodes/public-address.ts';
import {
  requireTreasurySettings,
  treasurySettingShape,
  treasurySettingsOf,
} from './treasury/settings.ts';

const listOf = <Item>(item: z.ZodType<Item, string>) =>
  z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((part) => part.trim() || []))
    .pipe(z.array(item));

const range = z.string().transform((text, context): AddressRange => {
  const parsed = parseRange(text);
  if (parsed) return parsed;
  context.addIssue({ code: 'custom', message: `expected 10.0.0.0/8 or fd00::/8, got "${text}"` });
  return z.NEVER;
});

const tokensMax = 100_000_000;

export const chainSettingShape = {
  /** `http(s)://host:port` of a Sui full node's gRPC. With it the chain is followed, and the next four are needed. */
  ATOMA_SUI_FULL_NODE: z.url({ protocol: /^https?$/ }).optional(),
  /** The digest of the genesis checkpoint: a node of another chain is not believed. */
  ATOMA_SUI_CHAIN_ID: z.string().optional(),
  /** The package that first defined the contract's types. */
  ATOMA_SUI_PACKAGE: addressSetting.optional(),
  ATOMA_SUI_DATABASE: addressSetting.optional(),
  /** Whose stacks pay: the address of the stack-owner key, where that key is not here. */
  ATOMA_STACK_OWNER_ADDRESS: addressSetting.optional(),
  /** Later versions of the package that are approved, separated by commas; others raise an alarm. */
  ATOMA_SUI_PACKAGES_APPROVED: listOf(addressSetting),
  /** Where the full node has forgotten what comes next: read the objects anew instead of standing still. */
  ATOMA_SUI_JUMP_WHEN_PRUNED: z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true'),
  /** What the chain does not tell of models; the nodes file may say it of each. */
  ATOMA_SUI_CONTEXT_TOKENS: integerSetting({ fallback: 32_768, min: 1, max: tokensMax }),
  ATOMA_SUI_OUTPUT_TOKENS_MAX: integerSetting({ fallback: 8192, min: 0, max: tokensMax }),
  /** Ranges that nodes may name though they are not public, separated by commas: "10.0.0.0/8,fd00::/8". */
  ATOMA_NODE_ADDRESS_ALLOW: listOf(range),
  ...treasurySettingShape,
} as const;

const shape = z.object(chainSettingShape);
type Given = z.infer<typeof shape>;

const needed = ['ATOMA_SUI_CHAIN_ID', 'ATOMA_SUI_PACKAGE', 'ATOMA_SUI_DATABASE'] as const;

/** A full node without the ids that say what to believe of it is a mistake. */
export function requireChainSettings(given: Given, context: z.RefinementCtx): void {
  if (given.ATOMA_SUI_FULL_NODE === undefined) return;
  const miss = (name: keyof Given, message: string) =>
    context.addIssue({ code: 'custom', path: [name], message });
  for (const name of needed.filter((one) => given[one] === undefined)) {
    miss(name, 'is needed with ATOMA_SUI_FULL_NODE');
  }
  if ((given.ATOMA_STACK_OWNER_ADDRESS ?? given.ATOMA_STACK_OWNER_KEY_FILE) === undefined) {
    miss('ATOMA_STACK_OWNER_ADDRESS', 'or its key file is needed with ATOMA_SUI_FULL_NODE');
  }
  requireTreasurySettings(given, context);
}

export type ChainSettings = NonNullable<ReturnType<typeof chainSettingsOf>>;

/** Nothing where no chain is followed. */
export function chainSettingsOf(given: Readonly<Given>) {
  const {
    ATOMA_SUI_FULL_NODE: url,
    ATOMA_SUI_CHAIN_ID: chainId,
    ATOMA_SUI_PACKAGE: definingPackage,
    ATOMA_SUI_DATABASE: databaseId,
    ATOMA_STACK_OWNER_ADDRESS: ownerAddress,
    ATOMA_STACK_OWNER_KEY_FILE: ownerKeyFile,
  } = given;
  if (!(url && chainId && definingPackage && databaseId)) return undefined;
  const { protocol, hostname, port } = new URL(url);
  const tls = protocol === 'https:';
  return {
    host: `${hostname}:${port || (tls ? '443' : '80')}`,
    tls,
    ids: { chainId, definingPackage, databaseId },
    owner: { address: ownerAddress, keyFile: ownerKeyFile },
    treasury: treasurySettingsOf(given),
    knownPackages: [definingPackage, ...given.ATOMA_SUI_PACKAGES_APPROVED],
    jumpsWhenPruned: given.ATOMA_SUI_JUMP_WHEN_PRUNED,
    defaults: {
      contextTokensMax: given.ATOMA_SUI_CONTEXT_TOKENS,
      outputTokensMax: given.ATOMA_SUI_OUTPUT_TOKENS_MAX,
    },
    addressesAllowed: given.ATOMA_NODE_ADDRESS_ALLOW,
  };
}
