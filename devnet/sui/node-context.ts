/** What the services of one full node share, and the checks that all their requests go through. */
import type { Chain } from './chain.ts';
import type { FaultSwitch } from './node-faults.ts';
import { applyMask, type MessageType, parseMask, type ReadMask } from './read-mask.ts';
import { statusError } from './serving.ts';

export type NodeContext = {
  readonly chain: Chain;
  readonly faults: FaultSwitch;
  /** Cursors and page tokens carry it: those of another provider are refused. */
  readonly provider: string;
  /** Aborts when the node closes or restarts. */
  readonly signal: () => AbortSignal;
};

type MaskMessage = { readonly paths: readonly string[] } | undefined;

/** Opens a request's mask: it tells what is worth computing, and cuts the answer to it. */
export function openMask<T extends object>(
  type: MessageType<T>,
  mask: MaskMessage,
  fallback: string,
): { readonly mask: ReadMask; readonly apply: (message: T) => T } {
  const parsed = parseMask(type, { mask, fallback });
  if ('kind' in parsed) {
    throw statusError('INVALID_ARGUMENT', `invalid read_mask path: ${parsed.path}`);
  }
  return { mask: parsed, apply: (message) => applyMask(type, message, parsed) };
}

/** The newest checkpoint that the indexes of List calls have seen. */
export function indexedHeight({ chain, faults }: NodeContext): bigint {
  return chain.ledger.history.height() - BigInt(faults.current().indexLagCheckpoints);
}
