/** Joins the fleets of several sources into one. Pure: the order of the sources decides conflicts. */
import type { Fleet, FleetNode, ModelOffer, OfferedPrice } from '../../domain/fleet.ts';

export type SourceFleet = { readonly source: string; readonly fleet: Fleet };

export type Conflict =
  | {
      readonly kind: 'node-repeated';
      readonly id: string;
      readonly kept: string;
      readonly left: string;
    }
  | {
      readonly kind: 'model-differs';
      readonly id: string;
      readonly kept: string;
      readonly left: string;
    }
  | {
      readonly kind: 'model-unknown';
      readonly id: string;
      readonly node: string;
      readonly left: string;
    };

/**
 * The first source that names a model or a node defines it; later ones add to it and never change it. Nodes of every
 * source serve a shared model. Models and nodes come out ordered by id, so that equal fleets are equal values.
 */
export function mergeFleets(sources: readonly SourceFleet[]): {
  readonly fleet: Fleet;
  readonly conflicts: readonly Conflict[];
} {
  const models = firstOf(sources.flatMap(({ source, fleet }) => toSourced(source, fleet.models)));
  const nodes = firstOf(sources.flatMap(({ source, fleet }) => toSourced(source, fleet.nodes)));
  const served = nodes.kept.map((node) => withKnownModels(node, models.ids));
  const fleet = {
    models: byId(models.kept.map(({ entry }) => entry)),
    nodes: byId(served.map(({ node }) => node)).filter((node) => node.models.length > 0),
  };
  const conflicts = [
    ...models.repeated
      .filter(({ first, again }) => !isSameOffer(first.entry, again.entry))
      .map((pair) => toConflict('model-differs', pair)),
    ...nodes.repeated.map((pair) => toConflict('node-repeated', pair)),
    ...served.flatMap(({ conflicts: unknown }) => unknown),
  ];
  return { fleet, conflicts };
}

type Sourced<T> = { readonly source: string; readonly entry: T };
type Repeated<T> = { readonly first: Sourced<T>; readonly again: Sourced<T> };

const toSourced = <T>(source: string, entries: readonly T[]): Sourced<T>[] =>
  entries.map((entry) => ({ source, entry }));

function firstOf<T extends { readonly id: string }>(entries: readonly Sourced<T>[]) {
  const ids = new Map<string, Sourced<T>>();
  const repeated: Repeated<T>[] = [];
  for (const again of entries) {
    const first = ids.get(again.entry.id);
    if (first) repeated.push({ first, again });
    else ids.set(again.entry.id, again);
  }
  return { ids, kept: [...ids.values()], repeated };
}

const toConflict = <T extends { readonly id: string }>(
  kind: 'model-differs' | 'node-repeated',
  { first, again }: Repeated<T>,
): Conflict => ({ kind, id: first.entry.id, kept: first.source, left: again.source });

function withKnownModels(
  { source, entry }: Sourced<FleetNode>,
  known: ReadonlyMap<string, unknown>,
): { readonly node: FleetNode; readonly conflicts: readonly Conflict[] } {
  const models = entry.models.filter(({ model }) => known.has(model));
  const conflicts = entry.models
    .filter(({ model }) => !known.has(model))
    .map(
      ({ model }) => ({ kind: 'model-unknown', id: model, node: entry.id, left: source }) as const,
    );
  return { node: { ...entry, models }, conflicts };
}

// By code unit, not by the machine's language.
const byId = <T extends { readonly id: string }>(list: T[]): T[] =>
  list.sort((left, right) => (left.id < right.id ? -1 : Number(left.id > right.id)));

function isSameOffer(left: ModelOffer, right: ModelOffer): boolean {
  return (
    isSamePrice(left.price, right.price) &&
    left.contextTokensMax === right.contextTokensMax &&
    left.outputTokensMax === right.outputTokensMax &&
    left.mediaTokensMax === right.mediaTokensMax &&
    left.endpoints.toSorted().join() === right.endpoints.toSorted().join()
  );
}

function isSamePrice(left: OfferedPrice | undefined, right: OfferedPrice | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.inputToken === right.inputToken &&
    left.cachedInputToken === right.cachedInputToken &&
    left.outputToken === right.outputToken &&
    left.image === right.image &&
    left.imagePixel === right.imagePixel
  );
}
