/**
 * What a stack costs and what a claim pays, as the contract computes it: whole 10⁻⁶ USDC, every division rounds down, and
 * a product beyond 64 bits aborts the transaction (Atoma on Sui, section 2).
 */

/** An amount in millionths of a USDC, the coin's smallest unit. */
export type MicroUsdc = bigint & { readonly __unit: 'micro-usdc' };

/** How a task's answers are guarded. */
export const securityLevels = { none: 0, confidential: 1, sampling: 2 } as const;

/** The shares that the contract adds for sampled tasks; the manager can change them, `AtomaDb` has the present ones. */
export type SamplingRates = {
  readonly samplingChargePermille: bigint;
  readonly extraNodesChargePermille: bigint;
};

type Amount =
  | { readonly kind: 'amount'; readonly amount: MicroUsdc }
  /** The contract would abort. */
  | { readonly kind: 'overflow' };

type Terms = {
  readonly pricePerMillion: bigint;
  readonly securityLevel: number;
  readonly rates: SamplingRates;
};

export const defaultSamplingRates: SamplingRates = {
  samplingChargePermille: 1200n,
  extraNodesChargePermille: 12n,
};

const million = 1_000_000n;
const permille = 1000n;
const u64Max = 2n ** 64n - 1n;

/** What the buyer pays for a stack of that many units at that price. */
export function stackCost(terms: Terms & { readonly units: bigint }): Amount {
  const { samplingChargePermille, extraNodesChargePermille } = terms.rates;
  const plain = quotient([terms.pricePerMillion, terms.units], million);
  if (terms.securityLevel !== securityLevels.sampling || plain === undefined)
    return toAmount(plain);
  const chargePermille = samplingChargePermille + extraNodesChargePermille;
  return toAmount(quotient([plain, chargePermille], permille));
}

/** What the node receives for the units that it claims. */
export function nodeFee(terms: Terms & { readonly unitsClaimed: bigint }): Amount {
  return shareOf(terms.unitsClaimed, terms);
}

/** What returns to the owner for the units that are not claimed; `unitsClaimed` is at most `units`. */
export function userRefund(
  terms: Terms & { readonly units: bigint; readonly unitsClaimed: bigint },
): Amount {
  return shareOf(terms.units - terms.unitsClaimed, terms);
}

function shareOf(units: bigint, { pricePerMillion, securityLevel, rates }: Terms): Amount {
  if (securityLevel !== securityLevels.sampling) {
    return toAmount(quotient([units, pricePerMillion], million));
  }
  // The charge for extra nodes is never returned.
  const factors = [units, pricePerMillion, rates.samplingChargePermille];
  return toAmount(quotient(factors, million * permille));
}

/** The product divided, rounded down; nothing where the product leaves 64 bits. */
function quotient(factors: readonly bigint[], divisor: bigint): bigint | undefined {
  const product = factors.reduce((left, right) => left * right);
  return product > u64Max ? undefined : product / divisor;
}

function toAmount(value: bigint | undefined): Amount {
  return value === undefined ? { kind: 'overflow' } : { kind: 'amount', amount: microUsdc(value) };
}

/** Tags an integer as millionths of a USDC; a negative amount is a programming error. */
export function microUsdc(amount: bigint): MicroUsdc {
  if (amount < 0n) throw new RangeError(`negative amount: ${amount}`);
  return amount as MicroUsdc;
}
