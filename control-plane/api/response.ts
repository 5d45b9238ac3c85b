/** A refusal as an HTTP response in the shape of an OpenAI error. */
import { type Failure, toErrorAnswer } from '../../domain/failure.ts';

export function toResponse(failure: Failure): Response {
  const { status, headers: fields, body } = toErrorAnswer(failure);
  return new Response(body, { status, headers: fields });
}
