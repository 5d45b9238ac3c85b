/** Settings of the treasury: whose money, in which coin, how much of it for how many stacks. */
import { z } from 'zod';
import type { KeeperSettings } from '../../chain/keeper/plan.ts';
import { normalType } from '../../chain/move-type.ts';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { inSmallestUnits } from '../../domain/money.ts';
import { integerSetting } from '../../runtime/config.ts';
import { addressSetting } from '../address-setting.ts';

/** Dollars with up to six decimals, as millionths of a USDC. */
const usdcSetting = (fallback: string) =>
  z
    .string()
    .regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected dollars such as 10 or 0.25')
    .default(fallback)
    .transform((text) => {
      const [whole = '0', fraction = ''] = text.split('.');
      return inSmallestUnits(whole, { fraction, decimals: 6 });
    });

const coinType = z
  .string()
  .regex(/^0x[0-9a-f]{1,64}::\w+::\w+$/, 'expected a coin type such as 0x…::usdc::USDC')
  .transform(normalType);

/** The contract sells no larger stack. */
const stackUnitsMax = 1_000_000;
const hoursMax = 24 * 90;

export const treasurySettingShape = {
  /** The keystore entry that the treasury's money answers to. With it stacks are bought; the next is then needed. */
  ATOMA_TREASURY_KEY_FILE: z.string().optional(),
  /** The key whose stacks pay. */
  ATOMA_STACK_OWNER_KEY_FILE: z.string().optional(),
  /** Where deposits go, for a control plane that has not got the key. */
  ATOMA_TREASURY_ADDRESS: addressSetting.optional(),
  /** The full type of USDC on this chain; needed with a treasury. */
  ATOMA_SUI_USDC_TYPE: coinType.optional(),
  /** What came in older checkpoints is no deposit. */
  ATOMA_DEPOSITS_FROM_CHECKPOINT: integerSetting({
    fallback: 0,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  }),
  /** The gateway's name as its callers know it: wallets show it before they sign. */
  ATOMA_PUBLIC_NAME: z
    .string()
    .regex(/^[A-Za-z0-9.:-]{1,100}$/, 'expected a host name such as api.example.com')
    .default('localhost'),
  /** For so long each model's stacks should last at its present use. */
  ATOMA_STACK_RUNWAY_HOURS: integerSetting({ fallback: 24, min: 1, max: hoursMax }),
  /** What each model should have in any case. */
  ATOMA_STACK_RUNWAY_UNITS_MIN: integerSetting({
    fallback: 900_000,
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
  }),
  ATOMA_STACK_UNITS: integerSetting({
    fallback: stackUnitsMax,
    min: 1000,
    max: stackUnitsMax,
  }),
  ATOMA_STACK_BUDGET_HOUR_USD: usdcSetting('10'),
  ATOMA_STACK_BUDGET_DAY_USD: usdcSetting('50'),
  /** For a million units. */
  ATOMA_STACK_PRICE_MAX_USD: usdcSetting('5'),
  /** Of the nodes that may be drawn for a stack, so many should be usable. */
  ATOMA_STACK_USABLE_PERCENT_MIN: integerSetting({ fallback: 50, min: 1, max: 100 }),
  /** For one transaction. */
  ATOMA_SUI_GAS_BUDGET_MIST: integerSetting({
    fallback: 50_000_000,
    min: 1_000_000,
    max: 10_000_000_000,
  }),
} as const;

const shape = z.object(treasurySettingShape);
type Given = z.infer<typeof shape>;

/** A treasury without what it needs is a mistake. */
export function requireTreasurySettings(given: Given, context: z.RefinementCtx): void {
  const { ATOMA_TREASURY_KEY_FILE: keyFile, ATOMA_TREASURY_ADDRESS: address } = given;
  const miss = (path: keyof Given, because: string) =>
    context.addIssue({ code: 'custom', path: [path], message: `is needed with ${because}` });
  if (keyFile !== undefined && given.ATOMA_STACK_OWNER_KEY_FILE === undefined) {
    miss('ATOMA_STACK_OWNER_KEY_FILE', 'ATOMA_TREASURY_KEY_FILE');
  }
  if (given.ATOMA_SUI_USDC_TYPE !== undefined) return;
  if (keyFile !== undefined) miss('ATOMA_SUI_USDC_TYPE', 'ATOMA_TREASURY_KEY_FILE');
  else if (address !== undefined) miss('ATOMA_SUI_USDC_TYPE', 'ATOMA_TREASURY_ADDRESS');
}

export type TreasurySettings = {
  readonly keyFile: string | undefined;
  readonly address: SuiAddress | undefined;
  readonly usdcType: string;
  readonly depositsFrom: bigint;
  readonly publicName: string;
  readonly gasBudgetMist: bigint;
  readonly keeper: KeeperSettings;
};

/** Orders of one plan; the keeper takes the first and plans anew. */
const ordersMax = 1;

/** Nothing where there is no treasury. */
export function treasurySettingsOf(given: Readonly<Given>): TreasurySettings | undefined {
  const {
    ATOMA_TREASURY_KEY_FILE: keyFile,
    ATOMA_TREASURY_ADDRESS: address,
    ATOMA_SUI_USDC_TYPE: usdcType,
  } = given;
  if (usdcType === undefined || (keyFile === undefined && address === undefined)) return undefined;
  return {
    keyFile,
    address,
    usdcType,
    depositsFrom: BigInt(given.ATOMA_DEPOSITS_FROM_CHECKPOINT),
    publicName: given.ATOMA_PUBLIC_NAME,
    gasBudgetMist: BigInt(given.ATOMA_SUI_GAS_BUDGET_MIST),
    keeper: {
      runwayHours: BigInt(given.ATOMA_STACK_RUNWAY_HOURS),
      runwayUnitsMin: BigInt(given.ATOMA_STACK_RUNWAY_UNITS_MIN),
      unitsPerStack: BigInt(given.ATOMA_STACK_UNITS),
      budgetPerHour: given.ATOMA_STACK_BUDGET_HOUR_USD,
      budgetPerDay: given.ATOMA_STACK_BUDGET_DAY_USD,
      priceCapPerMillion: given.ATOMA_STACK_PRICE_MAX_USD,
      acceptablePercentMin: BigInt(given.ATOMA_STACK_USABLE_PERCENT_MIN),
      ordersMax,
    },
  };
}
