/** The nonce that a node has its devices sign over (Atoma on Sui, section 8). */
import { blake3 } from '@noble/hashes/blake3.js';

/** Nodes commit this type for all their devices, switches included. */
const nvidiaGpu = 300;

/** BLAKE3 of the rotation's nonce (u64), the X25519 key and the device type (u16); numbers little-endian. */
export function reportNonce(options: {
  readonly rotationNonce: bigint;
  readonly publicKey: Uint8Array;
}): Uint8Array {
  const nonce = Buffer.alloc(8);
  nonce.writeBigUInt64LE(options.rotationNonce);
  const deviceType = Buffer.alloc(2);
  deviceType.writeUInt16LE(nvidiaGpu);
  return blake3(Buffer.concat([nonce, options.publicKey, deviceType]));
}
