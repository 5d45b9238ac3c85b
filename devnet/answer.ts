/** An answer as a node decides it, before pace and faults shape how it goes out. */
import type { Usage } from '../domain/usage.ts';

export type NodeEvent = {
  /** The whole frame, its blank line included. */
  readonly text: string;
  readonly tokens: number;
  readonly usage: Usage | undefined;
};

export type Outcome = 'complete' | 'broken';

export type Answer =
  | {
      readonly kind: 'body';
      readonly status: number;
      readonly contentType: string;
      readonly body: string;
      readonly tokens: number;
      readonly usage: Usage | undefined;
      readonly ended: (outcome: Outcome) => void;
    }
  | {
      readonly kind: 'stream';
      readonly contentType: string;
      readonly events: Iterable<NodeEvent>;
      /** A comment goes out after so long a silence; 0 for none. */
      readonly keepAliveMs: number;
      readonly ended: (outcome: Outcome) => void;
    };

const nothing = () => undefined;

/** A short answer that consumes nothing: an error, a page. */
export function bodyAnswer(options: {
  status: number;
  body: string;
  contentType?: string;
}): Answer {
  const { status, body, contentType = 'application/json' } = options;
  return { kind: 'body', status, contentType, body, tokens: 0, usage: undefined, ended: nothing };
}

/** A frame of a stream that carries JSON. */
export const frameOf = (json: string) => `data: ${json}\n\n`;
