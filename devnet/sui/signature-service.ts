/**
 * SignatureVerificationService: checks signatures of transactions and personal messages. Proofs of zkLogin cannot be
 * checked here: the chain is told which addresses to vouch for.
 */
import { bcs } from '@mysten/sui/bcs';
import type { GrpcTypes, SuiGrpcClient } from '@mysten/sui/grpc';
import { normalizeSuiAddress, toBase64 } from '@mysten/sui/utils';
import { verifyPersonalMessageSignature, verifyTransactionSignature } from '@mysten/sui/verify';
import { parseExact } from './move-context.ts';
import type { NodeContext } from './node-context.ts';
import { type Handlers, statusError } from './serving.ts';

const zkLoginFlag = 5;

export function createSignatureService({
  chain,
}: NodeContext): Handlers<SuiGrpcClient['signatureVerificationService']> {
  return {
    async verifySignature(request) {
      const signature = request.signature?.bcs?.value;
      const { message } = request;
      if (!signature || !message?.value) {
        throw statusError('INVALID_ARGUMENT', 'missing message or signature');
      }
      const address = request.address && normalizeSuiAddress(request.address);
      if (signature[0] === zkLoginFlag) {
        return verdict(address !== undefined && chain.vouched.has(address));
      }
      const verify = verifierOf(message);
      try {
        const key = await verify(toBase64(signature));
        return verdict(address === undefined || key.toSuiAddress() === address);
      } catch {
        return verdict(false);
      }
    },
  };
}

const verdict = (isValid: boolean): GrpcTypes.VerifySignatureResponse =>
  isValid ? { isValid } : { isValid, reason: 'the signature is not valid' };

function verifierOf({ name, value = new Uint8Array() }: GrpcTypes.Bcs) {
  if (name === 'TransactionData') {
    return (signature: string) => verifyTransactionSignature(value, signature);
  }
  const text = name === 'PersonalMessage' ? parseExact(bcs.byteVector(), value) : undefined;
  if (!text) throw statusError('INVALID_ARGUMENT', `invalid message of kind ${name}`);
  return (signature: string) => verifyPersonalMessageSignature(text, signature);
}
