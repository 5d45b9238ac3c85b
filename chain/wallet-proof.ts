/**
 * Whether a wallet has signed a text as a personal message. All schemes are checked here but zkLogin, whose proofs need the
 * keys of its providers: the full node checks those, and where it is away there is no verdict (Sui, section 11).
 */
import { fromBase64 } from '@mysten/sui/utils';
import { isValidPersonalMessageSignature } from '@mysten/sui/verify';
import type { SuiAddress } from '../domain/chain-ids.ts';
import { type FullNode, FullNodeError } from './full-node.ts';

/** In base64; the longest are multisigs of passkeys and zkLogin proofs. */
const signatureLengthMax = 16_384;

export type WalletVerdict = 'signed' | 'not-signed' | 'unavailable';

const zkLoginFlag = 0x05;

export async function verifyWallet(options: {
  wallet: SuiAddress;
  /** Exactly what was issued. */
  text: string;
  /** In base64, with the flag of its scheme first. */
  signature: string;
  fullNode: Pick<FullNode, 'view' | 'vouchesFor'>;
  signal: AbortSignal;
}): Promise<WalletVerdict> {
  const { wallet, text, signature, fullNode, signal } = options;
  const bytes = bytesOf(signature);
  if (!bytes) return 'not-signed';
  if (bytes[0] === zkLoginFlag) {
    return askNode(fullNode, { address: wallet, text, signature: bytes, signal });
  }
  try {
    const message = new TextEncoder().encode(text);
    const isValid = await isValidPersonalMessageSignature(message, signature, { address: wallet });
    return isValid ? 'signed' : 'not-signed';
  } catch {
    // Nothing but the bytes decides here, so what throws is a bad signature, or a multisig with a zkLogin member.
    return 'not-signed';
  }
}

function bytesOf(signature: string): Uint8Array | undefined {
  if (signature.length > signatureLengthMax) return undefined;
  try {
    return fromBase64(signature);
  } catch {
    return undefined;
  }
}

async function askNode(
  fullNode: Pick<FullNode, 'view' | 'vouchesFor'>,
  { signal, ...signed }: Parameters<FullNode['vouchesFor']>[0] & { signal: AbortSignal },
): Promise<WalletVerdict> {
  try {
    // Throws where the node is of another chain, whose providers' keys may be others.
    await fullNode.view(signal);
    return (await fullNode.vouchesFor(signed, signal)) ? 'signed' : 'not-signed';
  } catch (cause) {
    if (cause instanceof FullNodeError) return 'unavailable';
    throw cause;
  }
}
