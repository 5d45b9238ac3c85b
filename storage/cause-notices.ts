/** Passes between replicas why an exchange broke off; a hint, which may get lost. */
import { type Ending, endings } from '../domain/reservation.ts';
import { channels } from './keys.ts';
import type { Redis } from './redis.ts';

export type CauseNotices = {
  /** Returns at once; a word that gets lost costs the name of a cause only. */
  announce(requestId: string, ending: Ending): void;
  /** The returned function ends it. */
  listen(listener: (requestId: string, ending: Ending) => void): () => void;
};

export function createCauseNotices(redis: Redis): CauseNotices {
  return {
    announce(requestId, ending) {
      const message = `${ending} ${requestId}`;
      redis.send(undefined, ['PUBLISH', channels.causes, message]).catch(() => undefined);
    },
    listen: (listener) =>
      redis.subscriber.listen(channels.causes, (message = '') => {
        const [name, requestId] = message.split(' ');
        const ending = endings.find((known) => known === name);
        if (ending && requestId !== undefined) listener(requestId, ending);
      }),
  };
}
