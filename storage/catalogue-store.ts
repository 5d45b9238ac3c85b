/** The models on offer: published by the control plane, followed by every other process. */
import { type Catalogue, emptyCatalogue } from '../domain/model.ts';
import type { Logger } from '../runtime/log.ts';
import { catalogueFromJson, catalogueToJson } from './codecs.ts';
import { channels, globalKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { listFrom, maybeTextFrom } from './reply.ts';

export type CatalogueStore = {
  publish(catalogue: Catalogue): Promise<void>;
  /** The empty catalogue while none has been published. */
  read(): Promise<Catalogue>;
  /** Called with the current catalogue and each later one; a lost notice heals within a second. */
  subscribe(listener: (catalogue: Catalogue) => void): () => void;
};

const pollMs = 1000;

export function createCatalogueStore(options: { redis: Redis; log: Logger }): CatalogueStore {
  const { redis, log } = options;
  const key = globalKeys.catalogue;

  async function read(): Promise<Catalogue> {
    const [json] = listFrom(await redis.send(key, ['HMGET', key, 'json'])).map(maybeTextFrom);
    return json === undefined ? emptyCatalogue : catalogueFromJson(json);
  }
  const readVersion = async () =>
    maybeTextFrom(await redis.send(key, ['HGET', key, 'version'])) ?? emptyCatalogue.version;

  return {
    read,

    async publish(catalogue) {
      const { version } = catalogue;
      await redis.send(key, ['HSET', key, 'version', version, 'json', catalogueToJson(catalogue)]);
      await redis.send(undefined, ['PUBLISH', channels.catalogue, version]);
    },

    subscribe(listener) {
      let known: string | undefined;
      let ended = false;

      async function refresh(): Promise<void> {
        try {
          if ((await readVersion()) === known) return;
          const catalogue = await read();
          if (ended || catalogue.version === known) return;
          known = catalogue.version;
          listener(catalogue);
        } catch (cause) {
          log.warn({ err: cause }, 'could not read the catalogue');
        }
      }

      const unlisten = redis.subscriber.listen(channels.catalogue, () => void refresh());
      const timer = setInterval(() => void refresh(), pollMs);
      timer.unref();
      void refresh();
      return () => {
        ended = true;
        clearInterval(timer);
        unlisten();
      };
    },
  };
}
