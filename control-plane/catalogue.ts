/** Turns the fleet and the operator's prices into the models on offer. Pure; the version is a hash of the content. */
import type { Fleet, ModelOffer } from '../domain/fleet.ts';
import { type Catalogue, type Model, type Protocol, protocols } from '../domain/model.ts';
import type { Price } from '../domain/price.ts';
import { priceVersionOf } from '../storage/prices.ts';
import { fingerprintOf } from './fingerprint.ts';

/** By model. */
export type Prices = ReadonlyMap<string, Price>;

/** The operator's price goes before the one that discovery offers; models without nodes stay, with no protocol. */
export function buildCatalogue(fleet: Fleet, prices: Prices): Catalogue {
  const served = protocolsByModel(fleet);
  const models = fleet.models.map(
    (offer): Model => ({
      id: offer.id,
      createdSeconds: offer.createdSeconds,
      ownedBy: offer.ownedBy,
      endpoints: offer.endpoints,
      protocols: protocols.filter((protocol) => served.get(offer.id)?.has(protocol)),
      contextTokensMax: offer.contextTokensMax,
      outputTokensMax: offer.outputTokensMax,
      mediaTokensMax: offer.mediaTokensMax,
      price: prices.get(offer.id) ?? offeredPriceOf(offer),
    }),
  );
  return { version: fingerprintOf(models), models };
}

export type ModelState = 'callable' | 'unserved' | 'unpriced';

/** What a caller meets: an answer, "no node" for the moment, or "no such model". */
export function stateOf(model: Model): ModelState {
  if (model.price === undefined) return 'unpriced';
  return model.protocols.length === 0 ? 'unserved' : 'callable';
}

function offeredPriceOf({ price }: ModelOffer): Price | undefined {
  return price && { version: priceVersionOf(price), ...price };
}

function protocolsByModel({ nodes }: Fleet): ReadonlyMap<string, ReadonlySet<Protocol>> {
  const served = new Map<string, Set<Protocol>>();
  for (const { protocol, models } of nodes) {
    for (const { model } of models) {
      served.set(model, (served.get(model) ?? new Set()).add(protocol));
    }
  }
  return served;
}
