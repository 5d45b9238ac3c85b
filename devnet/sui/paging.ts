/** Pages of lists that are kept in order: a token is the key of the last item, and means nothing elsewhere. */
import { z } from 'zod';
import { statusError } from './serving.ts';

const pageSizeDefault = 50;
const pageSizeMax = 1000;
const tokenSchema = z.strictObject({ scope: z.string(), key: z.string(), wasEmpty: z.boolean() });

export type PageRequest = {
  readonly pageSize?: number;
  readonly pageToken?: Uint8Array;
};

type Token = z.infer<typeof tokenSchema>;
type NextPage = { readonly nextPageToken?: Uint8Array };

/** One page of the items, which stand in the order of their keys. */
export function pageOf<Item>(
  items: readonly Item[],
  options: {
    readonly request: PageRequest;
    readonly keyOf: (item: Item) => string;
    /** What the list is, and whose: a token of another one is refused. */
    readonly scope: string;
    /** Gives an empty page before every full one. */
    readonly emptyPages: boolean;
  },
): { readonly page: Item[]; readonly next: NextPage } {
  const { request, keyOf, scope, emptyPages } = options;
  const token = readToken(request.pageToken, scope);
  const rest = token ? items.filter((item) => keyOf(item) > token.key) : items;
  if (emptyPages && rest.length > 0 && token?.wasEmpty !== true) {
    return { page: [], next: writeToken({ scope, key: token?.key ?? '', wasEmpty: true }) };
  }
  const size = Math.min(request.pageSize || pageSizeDefault, pageSizeMax);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  const isMore = rest.length > size && last !== undefined;
  return { page, next: isMore ? writeToken({ scope, key: keyOf(last), wasEmpty: false }) : {} };
}

const writeToken = (token: Token): NextPage => ({
  nextPageToken: Buffer.from(JSON.stringify(token)),
});

function readToken(bytes: Uint8Array | undefined, scope: string): Token | undefined {
  if (bytes === undefined) return undefined;
  const token = parseToken(bytes);
  if (token?.scope !== scope) throw statusError('INVALID_ARGUMENT', 'invalid page_token');
  return token;
}

function parseToken(bytes: Uint8Array): Token | undefined {
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return undefined;
  }
}
