/** The models on offer as this process knows them, by id. */
import { type Catalogue, emptyCatalogue, type Model } from '../domain/model.ts';

export type CatalogueView = {
  /** The model with this id; nothing where there is none. */
  find(id: string): Model | undefined;
  /** False until a control plane has published: nobody can say then which models exist. */
  isPublished(): boolean;
  replace(catalogue: Catalogue): void;
};

export function createCatalogueView(): CatalogueView {
  let version = emptyCatalogue.version;
  let models = new Map<string, Model>();
  return {
    find: (id) => models.get(id),
    isPublished: () => version !== emptyCatalogue.version,
    replace(catalogue) {
      version = catalogue.version;
      models = new Map(catalogue.models.map((model) => [model.id, model]));
    },
  };
}
