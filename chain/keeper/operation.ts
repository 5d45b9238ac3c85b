/**
 * What the keeper is doing with the treasury's money, as it is kept. There is one operation at a time; each kind holds the
 * signed transaction that it waits for, kept before it is first sent, so that a crash leaves nothing but bytes to send again.
 */
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from '../../domain/chain-ids.ts';
import type { Withdrawal } from '../../domain/withdrawal.ts';
import type { MicroUsdc } from '../costs.ts';
import type { ObjectRef, SignedTransaction } from '../transaction-node.ts';

/** A stack that is wanted; `cost` is the exact coin that pays for it. */
export type StackOrder = {
  readonly taskId: TaskSmallId;
  readonly units: bigint;
  readonly pricePerMillion: bigint;
  readonly cost: MicroUsdc;
};

/** A transaction that may have been sent, with all that tells when it can never land. */
export type SentTransaction = SignedTransaction & {
  /** The owned objects that it uses up, gas included. */
  readonly inputs: readonly ObjectRef[];
  /** After this epoch it is void. */
  readonly lastEpoch: bigint;
  /** The height when it was built: it cannot have landed before. */
  readonly builtAtHeight: bigint;
};

export type Failure =
  | { readonly kind: 'abort'; readonly module: string; readonly code: bigint }
  | { readonly kind: 'failure'; readonly description: string }
  /** Its objects went elsewhere, or its epoch ended. */
  | { readonly kind: 'not-landed' };

type Begun = { readonly id: string; readonly startedMs: number };
type Payment = Begun & { readonly withdrawal: Withdrawal };
type Ordered = Begun & { readonly order: StackOrder };

export type Operation =
  /** The treasury sends the exact coin to the stack owner. */
  | (Ordered & { readonly kind: 'funding'; readonly sent: SentTransaction })
  /** The stack owner buys with that coin, and gives the coin back with whatever is left on it. */
  | (Ordered & {
      readonly kind: 'buying';
      readonly coinId: SuiAddress;
      readonly sent: SentTransaction;
    })
  /** Nothing was bought: the stack owner gives the coin back. */
  | (Ordered & {
      readonly kind: 'returning';
      readonly coinId: SuiAddress;
      readonly failure: Failure;
      readonly sent: SentTransaction;
    })
  /** Coins that came to the stack owner, such as refunds, go to the treasury. */
  | (Begun & { readonly kind: 'collecting'; readonly sent: SentTransaction })
  /** The treasury sends an account's money to an address that its operator named. */
  | (Payment & { readonly kind: 'withdrawing'; readonly sent: SentTransaction });

export type OperationKind = Operation['kind'];

type Ended = { readonly endedMs: number };

/** How an operation ended; kept for ever. */
export type EndedOperation =
  | (Ordered &
      Ended & {
        readonly kind: 'bought';
        readonly stackId: StackSmallId;
        readonly nodeId: NodeSmallId;
        readonly digest: string;
        readonly paid: MicroUsdc;
      })
  /** `missing` is what has not come back: nothing, unless somebody else used the stack owner's key. */
  | (Ordered &
      Ended & {
        readonly kind: 'failed';
        readonly failure: Failure;
        readonly missing: MicroUsdc;
      })
  | (Begun & Ended & { readonly kind: 'collected'; readonly amount: MicroUsdc })
  | (Begun & Ended & { readonly kind: 'not-collected'; readonly failure: Failure })
  | (Payment & Ended & { readonly kind: 'paid'; readonly digest: string })
  /** The withdrawal is queued as before. */
  | (Payment & Ended & { readonly kind: 'not-paid'; readonly failure: Failure });

/** Money that counts against the budget, from the time at which its operation began. */
export type Spending = { readonly startedMs: number; readonly amount: MicroUsdc };

/** What the ended operations took from the budget; a withdrawal is not the gateway's own money. */
export function spendingOf(ended: readonly EndedOperation[]): readonly Spending[] {
  return ended.flatMap((operation) => {
    const { startedMs } = operation;
    if (operation.kind === 'bought') return [{ startedMs, amount: operation.paid }];
    if (operation.kind === 'failed') return [{ startedMs, amount: operation.missing }];
    return [];
  });
}
