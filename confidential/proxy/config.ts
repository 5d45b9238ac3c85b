/** The proxy's settings, and what `--help` says of them. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseSuiAddress, suiAddress } from '../../domain/chain-ids.ts';
import { hostPortSetting, integerSetting, logLevelSetting } from '../../runtime/config.ts';
import { connectChainView } from '../client/chain-view.ts';
import type { PinnedNode, Trust } from '../client/trust.ts';

const dayMs = 86_400_000;

export const configSchema = z
  .object({
    ATOMA_SEALING_LISTEN: hostPortSetting('127.0.0.1:8484').refine(
      ({ host }) => isLoopback(host),
      'expected an address of this machine alone: what comes in is in clear',
    ),
    ATOMA_BASE_URL: z.url({ protocol: /^https?$/ }),
    ATOMA_API_KEY: z.string().optional(),
    ATOMA_SEALING_TRUST: z.enum(['lock', 'keys', 'chain']),
    ATOMA_SEALING_KEYS_FILE: z.string().optional(),
    ATOMA_SUI_FULL_NODE: z.url({ protocol: /^https?$/ }).optional(),
    ATOMA_SUI_CHAIN_ID: z.string().optional(),
    ATOMA_SUI_PACKAGE: z
      .string()
      .refine((text) => parseSuiAddress(text) !== undefined, 'expected 0x and 64 hex digits')
      .transform(suiAddress)
      .optional(),
    ATOMA_SEALING_STREAMS: z.enum(['whole', 'live', 'live-unproven']).default('whole'),
    ATOMA_SEALING_PARALLEL_MAX: integerSetting({ fallback: 64, min: 1, max: 10_000 }),
    ATOMA_SEALING_TIMEOUT_MS: integerSetting({ fallback: 600_000, min: 100, max: dayMs }),
    ATOMA_LOG_LEVEL: logLevelSetting,
  })
  .superRefine((config, context) => {
    for (const name of neededFor[config.ATOMA_SEALING_TRUST]) {
      if (config[name] !== undefined) continue;
      const message = `is needed where ATOMA_SEALING_TRUST is "${config.ATOMA_SEALING_TRUST}"`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  });

const neededFor = {
  lock: [],
  keys: ['ATOMA_SEALING_KEYS_FILE'],
  chain: ['ATOMA_SUI_FULL_NODE', 'ATOMA_SUI_CHAIN_ID', 'ATOMA_SUI_PACKAGE'],
} as const;

export type Config = z.infer<typeof configSchema>;

const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

export const help = `atoma-seal: an OpenAI server on this machine that seals every request to a node's key.

  ATOMA_BASE_URL=https://gateway.example/v1 ATOMA_SEALING_TRUST=lock npx atoma-seal
  OPENAI_BASE_URL=http://127.0.0.1:8484/v1 OPENAI_API_KEY=sk-atoma-… python your_program.py

  ATOMA_BASE_URL              the gateway, up to and including /v1
  ATOMA_SEALING_TRUST         whose word a node's key is taken on:
                                lock   the gateway's; it could name its own key and read everything
                                keys   a file of keys that you know
                                chain  what nodes published on Sui, read from your own full node
  ATOMA_SEALING_KEYS_FILE     for keys: {"<node small id>": {"publicKey": "<base64>", "signerAddress": "0x…"}}
  ATOMA_SUI_FULL_NODE         for chain: http(s)://host:port of its gRPC
  ATOMA_SUI_CHAIN_ID          for chain: the digest of the genesis checkpoint
  ATOMA_SUI_PACKAGE           for chain: the package that first defined the contract
  ATOMA_API_KEY               sent to the gateway in place of each caller's own key
  ATOMA_SEALING_LISTEN        where to listen, on this machine alone (127.0.0.1:8484)
  ATOMA_SEALING_STREAMS       whole (as one proven answer), live (from nodes that number their events),
                              live-unproven (from any node) (whole)
  ATOMA_SEALING_PARALLEL_MAX  requests at the same time (64)
  ATOMA_SEALING_TIMEOUT_MS    for one request (600000)
  ATOMA_LOG_LEVEL             debug, info, warn, error, silent (info)
`;

const keysFile = z.record(
  z.string().regex(/^\d{1,16}$/),
  z.strictObject({ publicKey: z.base64().length(44), signerAddress: z.string().optional() }),
);

/** What the settings say to trust, and how to let go of it. @throws where the file of keys cannot be read. */
export function trustOf(config: Config): { readonly trust: Trust; close(): void } {
  const { ATOMA_SUI_FULL_NODE: fullNode, ATOMA_SUI_CHAIN_ID: chainId } = config;
  const { ATOMA_SUI_PACKAGE: definingPackage, ATOMA_SEALING_KEYS_FILE: file } = config;
  const close = () => undefined;
  if (config.ATOMA_SEALING_TRUST === 'lock') return { trust: { kind: 'lock' }, close };
  if (config.ATOMA_SEALING_TRUST === 'keys' && file !== undefined) {
    return { trust: { kind: 'keys', keys: readKeys(file) }, close };
  }
  if (!(fullNode && chainId && definingPackage)) throw new Error('nothing says what to trust');
  const view = connectChainView({ fullNode, chainId, definingPackage });
  return { trust: { kind: 'chain', ...view }, close: view.close };
}

const readKeys = (file: string): Readonly<Record<string, PinnedNode>> =>
  keysFile.parse(JSON.parse(readFileSync(file, 'utf8')));
