/** The error answers of an Atoma node (node protocol, section 6). */
import { type Answer, bodyAnswer } from './answer.ts';

const errors = {
  missingHeader: { status: 400, code: 'MISSING_HEADER' },
  invalidHeader: { status: 400, code: 'INVALID_HEADER' },
  invalidBody: { status: 400, code: 'INVALID_BODY' },
  auth: { status: 401, code: 'AUTH_ERROR' },
  notFound: { status: 404, code: 'NOT_FOUND' },
  lockedStack: { status: 423, code: 'LOCKED_STACK_ERROR' },
  unavailableStack: { status: 425, code: 'UNAVAILABLE_STACK_ERROR' },
  overloaded: { status: 429, code: 'CHAT_COMPLETIONS_SERVICE_UNAVAILABLE' },
  internal: { status: 500, code: 'INTERNAL_ERROR' },
} as const;

export type AtomaError = keyof typeof errors;

const bodyOf = (code: string, message: string) => JSON.stringify({ error: { code, message } });

/** The answer for one cause; 401 and 500 tell nothing of it. */
export function atomaError(error: AtomaError, message: string): Answer {
  const { status, code } = errors[error];
  const isGeneric = status === 401 || status === 500;
  const words = isGeneric ? 'The request could not be processed.' : message;
  return bodyAnswer({ status, body: bodyOf(code, words) });
}

export type Refused = { readonly kind: 'refused'; readonly answer: Answer };

/** The same as the end of an admission. */
export const refuse = (error: AtomaError, message: string): Refused => ({
  kind: 'refused',
  answer: atomaError(error, message),
});

/** The body that belongs to a status, for faults. */
export function atomaErrorBody(status: number): string {
  const known = Object.values(errors).findLast((error) => error.status === status);
  return bodyOf(known?.code ?? errors.internal.code, `The node answers ${status}.`);
}

/** Errors of the web framework's extractors are plain text. */
export const extractorError = (status: 413 | 415 | 422, body: string) =>
  bodyAnswer({ status, body, contentType: 'text/plain; charset=utf-8' });
