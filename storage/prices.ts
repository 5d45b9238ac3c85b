/** The operator's own prices; a version is a hash of the numbers, so that equal prices share it. */
import { createHash } from 'node:crypto';
import type { OfferedPrice } from '../domain/fleet.ts';
import type { Price } from '../domain/price.ts';
import { priceFromJson, priceToJson } from './codecs.ts';
import { channels, globalKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom } from './reply.ts';

export type Prices = {
  set(model: string, price: OfferedPrice): Promise<Price>;
  /** False where the operator had set none. */
  remove(model: string): Promise<boolean>;
  list(): Promise<ReadonlyMap<string, Price>>;
  /** Called after each change and each new connection; the returned function ends it. */
  onChange(listener: () => void): () => void;
};

const versionLength = 12;

/** Names exact numbers: 12 hex digits of a hash over them in a fixed order. */
export function priceVersionOf(price: OfferedPrice): string {
  const numbers = [
    price.inputToken,
    price.cachedInputToken,
    price.outputToken,
    price.image,
    price.imagePixel,
  ];
  return createHash('sha256').update(numbers.join(' ')).digest('hex').slice(0, versionLength);
}

export function createPrices(redis: Redis): Prices {
  const key = globalKeys.prices;
  const notify = (model: string) => redis.send(undefined, ['PUBLISH', channels.prices, model]);

  return {
    async set(model, offered) {
      const { inputToken, cachedInputToken, outputToken, image, imagePixel } = offered;
      const numbers = { inputToken, cachedInputToken, outputToken, image, imagePixel };
      const price = { version: priceVersionOf(offered), ...numbers };
      await redis.send(key, ['HSET', key, model, priceToJson(price)]);
      await notify(model);
      return price;
    },

    async remove(model) {
      const removed = await redis.send(key, ['HDEL', key, model]);
      await notify(model);
      return removed === 1;
    },

    async list() {
      const fields = fieldsFrom(await redis.send(key, ['HGETALL', key]));
      return new Map([...fields].map(([model, json]) => [model, priceFromJson(json)]));
    },

    onChange: (listener) => redis.subscriber.listen(channels.prices, () => listener()),
  };
}
