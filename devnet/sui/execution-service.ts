/** TransactionExecutionService: executes signed transactions, and simulates unsigned ones. */
import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import { type NodeContext, openMask } from './node-context.ts';
import { type Handlers, statusError } from './serving.ts';
import { type Simulation, simulate } from './simulate.ts';
import { submitTransaction } from './submit.ts';
import type { Rejection } from './transaction-checks.ts';
import { parseTransaction, type TransactionDraft } from './transaction-data.ts';
import { executedMessage } from './wire-executed.ts';
import { resolveRequest } from './wire-request.ts';
import { transactionMessage } from './wire-transaction.ts';

const { SimulateTransactionRequest_TransactionChecks: Checks } = GrpcTypes;

export function createExecutionService(
  context: NodeContext,
): Handlers<SuiGrpcClient['transactionExecutionService']> {
  const { chain, faults } = context;
  const { history } = chain.ledger;
  return {
    async executeTransaction(request) {
      const fallback = 'effects.status,checkpoint';
      const opened = openMask(GrpcTypes.ExecutedTransaction, request.readMask, fallback);
      const bytes = request.transaction?.bcs?.value;
      if (!bytes) throw statusError('INVALID_ARGUMENT', 'missing transaction.bcs');
      const signatures = request.signatures.map(({ bcs }) => bcs?.value ?? new Uint8Array());
      const loss = faults.current().execution;
      const submitted = await submitTransaction(chain, { bytes, signatures, loss });
      if (submitted.kind === 'lost') throw statusError('UNAVAILABLE', 'the answer is lost');
      if (submitted.kind === 'rejected') throw refusal(submitted);
      const { executed } = submitted;
      const place = history.placeOf(executed.transaction.digest);
      const { mask, apply } = opened;
      return { transaction: apply(executedMessage(executed, { place, mask })) };
    },
    simulateTransaction(request) {
      const opened = openMask(GrpcTypes.SimulateTransactionResponse, request.readMask, '*');
      const { mask, apply } = opened;
      const simulated = simulate(chain, simulationOf(context, request));
      if (simulated.kind === 'rejected') throw refusal(simulated);
      const inner = mask.of('transaction');
      const transaction = executedMessage(simulated.executed, { place: undefined, mask: inner });
      if (inner.has('transaction')) {
        transaction.transaction = transactionMessage(simulated.resolved, inner.of('transaction'));
      }
      const suggestedGasPrice = chain.ledger.epoch().referenceGasPrice;
      return apply({ transaction, commandOutputs: [], suggestedGasPrice });
    },
  };
}

const refusal = ({ code, message }: Rejection) => statusError(code, message);

function simulationOf(
  { chain }: NodeContext,
  request: GrpcTypes.SimulateTransactionRequest,
): Simulation {
  const { transaction, checks = Checks.ENABLED, doGasSelection = false } = request;
  if (!transaction) throw statusError('INVALID_ARGUMENT', 'missing transaction');
  const bytes = transaction.bcs?.value;
  const draft = bytes ? parsedDraft(bytes) : resolveRequest(transaction, chain.ledger.store.get);
  if ('kind' in draft) throw refusal(draft);
  return { draft, isChecked: checks === Checks.ENABLED, selectsGas: doGasSelection };
}

function parsedDraft(bytes: Uint8Array): TransactionDraft {
  const parsed = parseTransaction(bytes);
  if (!parsed) throw statusError('INVALID_ARGUMENT', 'invalid transaction.bcs');
  return parsed;
}
