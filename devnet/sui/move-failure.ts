/** The ways in which a transaction can execute and fail: it is in the ledger, has cost gas and changed nothing else. */

export type ExecutionFailure =
  | {
      readonly kind: 'abort';
      readonly code: bigint;
      readonly packageId: string;
      readonly module: string;
      readonly functionName: string;
    }
  | { readonly kind: 'arithmetic' }
  | { readonly kind: 'insufficient-coin-balance' }
  | { readonly kind: 'insufficient-gas' }
  | { readonly kind: 'function-not-found' }
  | { readonly kind: 'arity-mismatch' }
  | { readonly kind: 'argument'; readonly index: number; readonly problem: ArgumentProblem }
  | { readonly kind: 'unused-value'; readonly result: number; readonly subresult: number };

export type ArgumentProblem =
  | 'type-mismatch'
  | 'invalid-bcs'
  | 'value-used'
  | 'object-not-mutable'
  | 'object-not-by-value'
  | 'gas-coin-usage'
  | 'out-of-bounds';

/** Unwinds a whole transaction, as an abort does in the Move VM; the only exception that is no bug here. */
export class MoveFailure extends Error {
  readonly failure: ExecutionFailure;

  constructor(failure: ExecutionFailure) {
    super(`the transaction fails: ${failure.kind}`);
    this.failure = failure;
  }
}
