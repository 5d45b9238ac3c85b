/** A model by its id, as far as a key may see it. */
import type { ApiKey } from '../../domain/api-key.ts';
import type { Failure } from '../../domain/failure.ts';
import type { Catalogue, Model } from '../../domain/model.ts';
import { isPriced, type PricedModel } from './model-object.ts';

export const allows = (key: ApiKey, model: Model): boolean =>
  key.models?.includes(model.id) ?? true;

export function findModel(
  catalogue: Catalogue,
  { key, id }: { key: ApiKey; id: string },
): PricedModel | Failure {
  const model = catalogue.models.find((offered) => offered.id === id);
  if (!model) return { kind: 'model-unknown', model: id };
  if (!allows(key, model)) return { kind: 'model-denied', model: id };
  return isPriced(model) ? model : { kind: 'model-unpriced', model: id };
}
