/** What ext-proc answers to one message of Envoy, in the words of the domain. */
import { type Failure, toErrorAnswer } from '../domain/failure.ts';
import type { HeaderEdits } from './plugin.ts';

export type Continue = {
  readonly kind: 'continue';
  readonly headers: HeaderEdits;
  /** Nothing keeps the bytes as they are; empty bytes leave them out. */
  readonly body: Uint8Array | undefined;
  /** How Envoy shows the body of the answer; meant for replies to response headers. */
  readonly bodyMode: 'unseen' | 'streamed' | 'whole';
};

/** Takes the place of the node's answer; only before its headers were passed on, later it would cut the answer. */
export type Answer = {
  readonly kind: 'answer';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Envoy logs it and leaves bodies alone whose details begin with `atoma_`. */
  readonly details: string;
};

export type Reply = Continue | Answer;

export const proceed: Continue = {
  kind: 'continue',
  headers: { set: {}, remove: [] },
  body: undefined,
  bodyMode: 'unseen',
};

/** The failure as an OpenAI error in place of the node's answer. */
export function answerWith(failure: Failure): Answer {
  return { kind: 'answer', ...toErrorAnswer(failure), details: `atoma_${failure.kind}` };
}
