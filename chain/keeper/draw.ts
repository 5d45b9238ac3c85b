/**
 * Chooses the price of a stack. The contract draws the node uniformly among all that ask no more than the price, so the
 * price is the only say in who is drawn. Pure.
 */
import type { NodeSmallId } from '../../domain/chain-ids.ts';

/** What a node asks for a task; acceptable where a stack of that node could be used. */
export type Ask = {
  readonly nodeId: NodeSmallId;
  readonly pricePerMillion: bigint;
  readonly unitsMax: bigint;
  readonly isAcceptable: boolean;
};

export type DrawRules = {
  readonly units: bigint;
  readonly priceCapPerMillion: bigint;
  /** The least share of acceptable nodes among those that may be drawn. */
  readonly acceptablePercentMin: bigint;
};

export type Draw =
  | { readonly kind: 'price'; readonly pricePerMillion: bigint }
  | { readonly kind: 'no-node' }
  | { readonly kind: 'price-above-cap' };

const percent = 100n;

/** The price with the least expected cost of a usable unit; of equal ones the lowest. */
export function chooseDraw(
  asks: readonly Ask[],
  { units, priceCapPerMillion, acceptablePercentMin }: DrawRules,
): Draw {
  const fitting = asks
    .filter(({ pricePerMillion, unitsMax }) => pricePerMillion > 0n && unitsMax >= units)
    .toSorted((left, right) => compare(left.pricePerMillion, right.pricePerMillion));
  const affordable = fitting.filter(({ pricePerMillion }) => pricePerMillion <= priceCapPerMillion);
  const best = tallies(affordable)
    .filter(({ good, all }) => good > 0n && good * percent >= all * acceptablePercentMin)
    .reduce<Tally | undefined>(
      (least, tally) => (isCheaper(tally, least) ? tally : least),
      undefined,
    );
  if (best) return { kind: 'price', pricePerMillion: best.pricePerMillion };
  const isDear =
    !affordable.some(({ isAcceptable }) => isAcceptable) &&
    fitting.some(({ isAcceptable }) => isAcceptable);
  return { kind: isDear ? 'price-above-cap' : 'no-node' };
}

/** Who may be drawn at a price: all of them, and the acceptable ones. */
type Tally = { readonly pricePerMillion: bigint; readonly all: bigint; readonly good: bigint };

/** One for each price that is asked; `asks` rise. */
function tallies(asks: readonly Ask[]): readonly Tally[] {
  let good = 0n;
  return asks.flatMap(({ pricePerMillion, isAcceptable }, index) => {
    if (isAcceptable) good += 1n;
    const isLast = asks[index + 1]?.pricePerMillion !== pricePerMillion;
    return isLast ? [{ pricePerMillion, all: BigInt(index + 1), good }] : [];
  });
}

/** Compares price × all / good without a division. */
const isCheaper = (tally: Tally, than: Tally | undefined): boolean =>
  !than ||
  tally.pricePerMillion * tally.all * than.good < than.pricePerMillion * than.all * tally.good;

const compare = (left: bigint, right: bigint) => (left < right ? -1 : Number(left > right));
