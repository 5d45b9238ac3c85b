/** A Sui address among the settings. */
import { z } from 'zod';
import { parseSuiAddress, suiAddress } from '../domain/chain-ids.ts';

export const addressSetting = z
  .string()
  .refine((text) => parseSuiAddress(text) !== undefined, 'expected 0x and 64 hex digits')
  .transform(suiAddress);
