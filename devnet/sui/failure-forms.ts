/** Execution failures in the two forms that callers read: BCS inside the effects, and the RPC message. */
import { GrpcTypes } from '@mysten/sui/grpc';
import type { ArgumentProblem, ExecutionFailure } from './move-failure.ts';

const { ExecutionError_ExecutionErrorKind: Kind } = GrpcTypes;
const { CommandArgumentError_CommandArgumentErrorKind: ArgumentKind } = GrpcTypes;

const problems = {
  'type-mismatch': { bcs: { TypeMismatch: true }, kind: ArgumentKind.TYPE_MISMATCH },
  'invalid-bcs': { bcs: { InvalidBCSBytes: true }, kind: ArgumentKind.INVALID_BCS_BYTES },
  'value-used': { bcs: { ArgumentWithoutValue: true }, kind: ArgumentKind.ARGUMENT_WITHOUT_VALUE },
  'object-not-mutable': {
    bcs: { InvalidObjectByMutRef: true },
    kind: ArgumentKind.INVALID_OBJECT_BY_MUT_REF,
  },
  'object-not-by-value': {
    bcs: { InvalidObjectByValue: true },
    kind: ArgumentKind.INVALID_OBJECT_BY_VALUE,
  },
  'gas-coin-usage': {
    bcs: { InvalidGasCoinUsage: true },
    kind: ArgumentKind.INVALID_GAS_COIN_USAGE,
  },
  'out-of-bounds': {
    bcs: { IndexOutOfBounds: { idx: 0 } },
    kind: ArgumentKind.INDEX_OUT_OF_BOUNDS,
  },
} as const satisfies Record<ArgumentProblem, object>;

/** The failure as `ExecutionFailureStatus`. */
export function failureBcs(failure: ExecutionFailure) {
  switch (failure.kind) {
    case 'abort':
      return { MoveAbort: [locationBcs(failure), failure.code] as const };
    case 'arithmetic':
      return { MovePrimitiveRuntimeError: null };
    case 'insufficient-coin-balance':
      return { InsufficientCoinBalance: true } as const;
    case 'insufficient-gas':
      return { InsufficientGas: true } as const;
    case 'function-not-found':
      return { FunctionNotFound: true } as const;
    case 'arity-mismatch':
      return { ArityMismatch: true } as const;
    case 'argument': {
      const { bcs: kind } = problems[failure.problem];
      return { CommandArgumentError: { argIdx: failure.index, kind } };
    }
    case 'unused-value': {
      const { result: resultIdx, subresult: secondaryIdx } = failure;
      return { UnusedValueWithoutDrop: { resultIdx, secondaryIdx } };
    }
  }
}

/** The failure as the RPC tells it. */
export function failureMessage(
  failure: ExecutionFailure,
  command: number | undefined,
): GrpcTypes.ExecutionError {
  const at = command === undefined ? {} : { command: BigInt(command) };
  const description = describe(failure, command);
  return { description, ...at, ...kindAndDetails(failure) };
}

type KindAndDetails = Required<Pick<GrpcTypes.ExecutionError, 'kind' | 'errorDetails'>>;

const none = { oneofKind: undefined } as const;

function kindAndDetails(failure: ExecutionFailure): KindAndDetails {
  switch (failure.kind) {
    case 'abort': {
      const { code, packageId, module, functionName } = failure;
      const location = { package: packageId, module, function: 0, instruction: 0, functionName };
      const abort = { abortCode: code, location };
      return { kind: Kind.MOVE_ABORT, errorDetails: { oneofKind: 'abort', abort } };
    }
    case 'arithmetic':
      return { kind: Kind.MOVE_PRIMITIVE_RUNTIME_ERROR, errorDetails: none };
    case 'insufficient-coin-balance':
      return { kind: Kind.INSUFFICIENT_COIN_BALANCE, errorDetails: none };
    case 'insufficient-gas':
      return { kind: Kind.INSUFFICIENT_GAS, errorDetails: none };
    case 'function-not-found':
      return { kind: Kind.FUNCTION_NOT_FOUND, errorDetails: none };
    case 'arity-mismatch':
      return { kind: Kind.ARITY_MISMATCH, errorDetails: none };
    case 'argument': {
      const { kind } = problems[failure.problem];
      const commandArgumentError = { argument: failure.index, kind };
      const errorDetails = { oneofKind: 'commandArgumentError', commandArgumentError } as const;
      return { kind: Kind.COMMAND_ARGUMENT_ERROR, errorDetails };
    }
    case 'unused-value': {
      const { result: index, subresult } = failure;
      const errorDetails = { oneofKind: 'indexError', indexError: { index, subresult } } as const;
      return { kind: Kind.UNUSED_VALUE_WITHOUT_DROP, errorDetails };
    }
  }
}

function describe(failure: ExecutionFailure, command: number | undefined): string {
  const place = command === undefined ? '' : ` in command ${command}`;
  if (failure.kind !== 'abort') return `${failure.kind}${place}`;
  const { packageId, module, functionName, code } = failure;
  return `MoveAbort(${packageId}::${module}::${functionName}, ${code})${place}`;
}

function locationBcs(failure: ExecutionFailure & { readonly kind: 'abort' }) {
  const { packageId: address, module: name, functionName } = failure;
  return { module: { address, name }, function: 0, instruction: 0, functionName };
}
