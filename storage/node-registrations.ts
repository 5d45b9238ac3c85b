/**
 * Where nodes listen, as their owners signed it. What is signed carries neither time nor nonce, so each statement of an
 * owner is taken in once: said again while it holds it changes nothing, said again after it was replaced it is refused.
 */
import { z } from 'zod';
import { parseSuiAddress, type SuiAddress, suiAddress } from '../domain/chain-ids.ts';
import { chainKeys, channels } from './keys.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, textFrom } from './reply.ts';
import { scripts } from './script.ts';

export type NodeRegistration = {
  /** The node's small id, in decimal digits. */
  readonly nodeId: string;
  /** Held the node's badge when it was registered. */
  readonly owner: SuiAddress;
  readonly publicAddress: string;
  readonly country: string;
  /** Of what was signed, in hex. */
  readonly hash: string;
};

type RegistrationResult = 'registered' | 'current' | 'replayed' | 'full';

export type NodeRegistrations = {
  register(registration: NodeRegistration): Promise<RegistrationResult>;
  list(): Promise<readonly NodeRegistration[]>;
};

/** Statements of one owner about one node; each stays for ever, so that none is taken in twice. */
export const statementsMax = 1000;

const stored = z.object({
  owner: z.string().refine((text) => parseSuiAddress(text) !== undefined),
  publicAddress: z.string(),
  country: z.string(),
  hash: z.string(),
});

/** The registrations for one contract, by the id of its database. */
export function createNodeRegistrations(options: {
  redis: Redis;
  databaseId: SuiAddress;
}): NodeRegistrations {
  const { redis, databaseId } = options;
  const { registrations, statementsPrefix } = chainKeys(databaseId);
  return {
    async register({ nodeId, owner, publicAddress, country, hash }) {
      const reply = await scripts.nodeRegister(redis, {
        keys: [registrations, `${statementsPrefix}${nodeId}:${owner}`],
        args: [
          nodeId,
          hash,
          JSON.stringify({ owner, publicAddress, country, hash }),
          `${statementsMax}`,
        ],
      });
      const result = resultFrom(textFrom(reply));
      if (result === 'registered') {
        await redis.send(undefined, ['PUBLISH', channels.chain, databaseId]);
      }
      return result;
    },

    async list() {
      const fields = fieldsFrom(await redis.send(registrations, ['HGETALL', registrations]));
      return [...fields].map(([nodeId, json]) => {
        const { owner, ...rest } = stored.parse(JSON.parse(json));
        return { nodeId, owner: suiAddress(owner), ...rest };
      });
    },
  };
}

const results: readonly RegistrationResult[] = ['registered', 'current', 'replayed', 'full'];

function resultFrom(text: string): RegistrationResult {
  const result = results.find((one) => one === text);
  if (result === undefined) throw new TypeError(`expected a result from Redis, got ${text}`);
  return result;
}
