/**
 * Models and nodes as a person or a program writes them down: the strict schema that the nodes file and the local
 * network share. Numbers of money are decimal strings, so that no float ever touches a price.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseBase64 } from '../../confidential/base64.ts';
import { isCanonicalKey, publicKeyBytes } from '../../confidential/keys.ts';
import type { FleetNode, ModelOffer, OfferedPrice } from '../../domain/fleet.ts';
import { endpoints, protocols } from '../../domain/model.ts';
import { type PicoUsd, parseUsd, picoUsd } from '../../domain/money.ts';

/** A node whose host name stands for no address yet. */
export type DeclaredNode = Omit<FleetNode, 'ip'>;

/** What a source says; `ip` is found afterwards. */
export type Declaration = {
  readonly models: readonly ModelOffer[];
  readonly nodes: readonly DeclaredNode[];
};

const modelsMax = 2000;
const nodesMax = 5000;
const stacksPerModelMax = 1000;
const tokensMax = 100_000_000;
const millionth = 1_000_000n;

// Digits in a string are accepted because the nodes file is read without any guess of types.
const whole = (min: number, max: number) =>
  z
    .union([
      z.number(),
      z
        .string()
        .regex(/^\d{1,16}$/, 'expected a whole number')
        .transform(Number),
    ])
    .pipe(z.int().min(min).max(max));

const usd = z.string().transform((text, context): PicoUsd => {
  const amount = parseUsd(text);
  if (amount !== undefined) return amount;
  context.addIssue({
    code: 'custom',
    message: `expected dollars as a decimal such as "0.25" below 9 million, with at most 12 places, got "${text}"`,
  });
  return z.NEVER;
});

const usdPerMillion = usd.transform((amount, context): PicoUsd => {
  if (amount % millionth === 0n) return picoUsd(amount / millionth);
  context.addIssue({ code: 'custom', message: 'a price per million has at most 6 decimal places' });
  return z.NEVER;
});

const free = picoUsd(0n);

const price = z
  .strictObject({
    /** USD per million tokens. */
    input: usdPerMillion,
    cached_input: usdPerMillion.optional(),
    output: usdPerMillion,
    /** USD per picture. */
    image: usd.optional(),
    /** USD per million pixels. */
    image_pixel: usdPerMillion.optional(),
  })
  .transform(
    ({ input, cached_input, output, image, image_pixel }): OfferedPrice => ({
      inputToken: input,
      cachedInputToken: cached_input ?? input,
      outputToken: output,
      image: image ?? free,
      imagePixel: image_pixel ?? free,
    }),
  );

/** It becomes part of a header value, of a cluster's name and of metric labels. */
export const modelIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$/;

const modelId = z.string().regex(modelIdPattern, 'expected letters, digits and . _ : / @ + -');
const nodeId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$/, 'expected letters, digits and . _ : -');

const model = z
  .strictObject({
    id: modelId,
    endpoints: z.array(z.enum(endpoints)).min(1),
    context_tokens: whole(1, tokensMax),
    output_tokens_max: whole(0, tokensMax),
    /** A part of unknown size can fill the context, but not more. */
    media_tokens_max: whole(0, tokensMax).optional(),
    owned_by: z.string().min(1).max(100).default('atoma'),
    created: whole(0, Number.MAX_SAFE_INTEGER).default(0),
    price: price.optional(),
  })
  .transform(
    (given): ModelOffer => ({
      id: given.id,
      createdSeconds: given.created,
      ownedBy: given.owned_by,
      endpoints: [...new Set(given.endpoints)],
      contextTokensMax: given.context_tokens,
      outputTokensMax: given.output_tokens_max,
      mediaTokensMax: given.media_tokens_max ?? given.context_tokens,
      price: given.price,
    }),
  )
  .refine(({ endpoints: served, price: offered }) => !isImageFree(served, offered), {
    path: ['price'],
    message: 'a priced model that makes pictures needs a price "image" or "image_pixel"',
  });

const isImageFree = (served: ModelOffer['endpoints'], offered: OfferedPrice | undefined) =>
  served.includes('images') &&
  offered !== undefined &&
  offered.image === free &&
  offered.imagePixel === free;

const address = z.string().transform((text, context) => {
  const parsed = parseNodeUrl(text);
  if (parsed) return parsed;
  context.addIssue({
    code: 'custom',
    message: `expected http://host:port or https://host:port and nothing more, got "${text}"`,
  });
  return z.NEVER;
});

const stack = z.strictObject({
  id: z.string().regex(/^\d{1,19}$/, 'expected the decimal id of a stack'),
  units: whole(0, Number.MAX_SAFE_INTEGER),
});

const nodeModel = z.union([
  modelId.transform((id) => ({ model: id, stacks: [] })),
  z
    .strictObject({ id: modelId, stacks: z.array(stack).max(stacksPerModelMax).default([]) })
    .transform(({ id, stacks }) => ({ model: id, stacks })),
]);

/** An empty text stands for none. */
function isSealingKey(text: string): boolean {
  const key = parseBase64(text);
  return text === '' || (key?.length === publicKeyBytes && isCanonicalKey(key));
}

const node = z
  .strictObject({
    id: nodeId,
    url: address,
    protocol: z.enum(protocols).default('openai'),
    weight: whole(1, 100).default(100),
    models: z.array(nodeModel).min(1),
    signer_address: z
      .union([z.literal(''), z.string().regex(/^0x[0-9a-f]{64}$/, 'expected 0x and 64 hex digits')])
      .default(''),
    sealing_key: z.string().refine(isSealingKey, 'expected an X25519 key in base64').default(''),
  })
  .transform(
    ({ url, signer_address, sealing_key, ...given }): DeclaredNode => ({
      ...given,
      ...url,
      signerAddress: signer_address,
      sealingKey: sealing_key,
    }),
  );

/** Everything unknown is an error: a misspelt setting must not look as if it worked. */
export const declarationSchema = z
  .strictObject({
    models: z.array(model).max(modelsMax).default([]),
    nodes: z.array(node).max(nodesMax).default([]),
  })
  .superRefine((declaration, context) => {
    const problems = [
      ...repeated(declaration.models, 'models'),
      ...repeated(declaration.nodes, 'nodes'),
      ...unknownModels(declaration),
    ];
    for (const { path, message } of problems) context.addIssue({ code: 'custom', path, message });
  });

type Problem = { readonly path: (string | number)[]; readonly message: string };

function repeated(entries: readonly { id: string }[], list: string): Problem[] {
  const first = new Map<string, number>();
  return entries.flatMap(({ id }, index) => {
    const isRepeated = first.has(id);
    if (!isRepeated) first.set(id, index);
    return isRepeated ? [{ path: [list, index, 'id'], message: `"${id}" stands here twice` }] : [];
  });
}

function unknownModels({ models, nodes }: Declaration): Problem[] {
  const known = new Set(models.map(({ id }) => id));
  return nodes.flatMap((declared, index) =>
    declared.models.flatMap(({ model: id }, place) =>
      known.has(id)
        ? []
        : [{ path: ['nodes', index, 'models', place], message: `no model "${id}" stands above` }],
    ),
  );
}

type NodeAddress = Pick<FleetNode, 'host' | 'port' | 'tls'>;

/** Takes `http(s)://host[:port]` apart; nothing where there is a path, a query, or a user. */
export function parseNodeUrl(text: string): NodeAddress | undefined {
  if (!/^https?:\/\/[^/?#@\s\\]+\/?$/.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  const tls = url.protocol === 'https:';
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isUsable = port > 0 && (isIP(host) !== 0 || /^[a-z0-9._-]+$/.test(host));
  return isUsable ? { host, port, tls } : undefined;
}
