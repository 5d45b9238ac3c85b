/** What a local network consists of, and the JSON by which discovery and whoever starts a gateway read it. */
import { z } from 'zod';
import { endpoints, protocols } from '../domain/model.ts';
import { paceChangeSchema } from './faults.ts';

/** A decimal number of dollars. */
const usd = z.string().regex(/^\d{1,10}(\.\d{1,12})?$/);

const priceSchema = z.strictObject({
  /** Per million tokens. */
  input: usd.default('0'),
  cached_input: usd.default('0'),
  output: usd.default('0'),
  /** Per picture. */
  image: usd.default('0'),
  /** Per million pixels. */
  image_pixel: usd.default('0'),
});

export const networkModelSchema = z.strictObject({
  id: z.string().min(1),
  endpoints: z.array(z.enum(endpoints)).min(1),
  context_tokens: z.int().min(1),
  output_tokens_max: z.int().min(0),
  media_tokens_max: z.int().min(0),
  owned_by: z.string(),
  created: z.int().min(0),
  price: priceSchema,
});

export const networkNodeSchema = z.strictObject({
  id: z.string().min(1),
  protocol: z.enum(protocols),
  weight: z.int().min(1).max(100).default(1),
  models: z.array(z.string()).min(1),
  port: z.int().min(0).max(65_535).default(0),
  pace: paceChangeSchema.default({}),
  /** What a node on the chain asks for a million compute units, in millionths of a USDC. */
  unit_price: z.int().min(1).default(100_000),
  /** Where such a node says that it stands. */
  country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .default('NO'),
  /** Of sealed streams; `shared` is what the published node does. */
  nonces: z.enum(['shared', 'unique', 'numbered']).default('shared'),
});

export type NetworkModel = z.infer<typeof networkModelSchema>;
export type NetworkModelInput = z.input<typeof networkModelSchema>;
export type NetworkNode = z.infer<typeof networkNodeSchema>;
export type NetworkNodeInput = z.input<typeof networkNodeSchema>;

/** The answer of `GET /network`. */
export type NetworkDocument = {
  readonly models: readonly NetworkModel[];
  readonly nodes: readonly {
    readonly id: string;
    readonly url: string;
    readonly protocol: NetworkNode['protocol'];
    readonly weight: number;
    readonly signer_address: string;
    /** Base64; empty where the node opens nothing. */
    readonly sealing_key: string;
    readonly models: readonly {
      readonly id: string;
      readonly stacks: readonly { readonly id: string; readonly units: number }[];
    }[];
  }[];
};

/** The answer of `GET /chain`. */
export const chainDocumentSchema = z.strictObject({
  /** `http://host:port` of the full node's gRPC. */
  full_node: z.string(),
  chain_id: z.string(),
  package_id: z.string(),
  database_id: z.string(),
  usdc_type: z.string(),
  /** Of the chain, over HTTP: it is also the faucet. */
  control_url: z.string(),
  nodes: z.array(
    z.strictObject({
      id: z.string(),
      /** Under which the chain knows the node. */
      small_id: z.string(),
      url: z.string(),
      owner: z.string(),
      models: z.array(z.string()),
    }),
  ),
});

export type ChainDocument = z.infer<typeof chainDocumentSchema>;
