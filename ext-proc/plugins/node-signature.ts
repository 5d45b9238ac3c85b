/** Checks that an Atoma node's answer carries the signature of the node that Envoy chose. */
import type { Counter } from 'prom-client';
import {
  checkResponse,
  createResponseCheck,
  type ResponseCheck,
} from '../../chain/response-signature.ts';
import { objectsIn } from '../../domain/json.ts';
import { type AnswerPart, type ExtProcPlugin, keep, type Verdict } from '../plugin.ts';

const failed: Verdict = { kind: 'fail', failure: { kind: 'node-failed' }, ending: 'node-failed' };

/** `coverage` says which events are checked: all, or those that end a choice or tell the usage. */
export function createNodeSignature(options: {
  readonly coverage: 'ends' | 'all';
  readonly refused: Counter<'node' | 'reason'>;
}): ExtProcPlugin {
  return {
    name: 'node-signature',
    hooks: { request: 'headers' },
    begin({ exchange, tally, log, node }) {
      // The frame of a sealed answer is signed in another way.
      if (exchange.sealed) return {};
      const pieces = createResponseCheck();

      function judge(result: ResponseCheck): Verdict {
        const { id, signerAddress } = node();
        if (result.kind === 'signed' && result.signerAddress === signerAddress) {
          const { hash, signature } = result;
          tally.signature = { signerAddress, hash, signature };
          return keep;
        }
        tally.trusted = false;
        options.refused.inc({ node: id, reason: 'signature' });
        log.warn(
          { node: id, expected: signerAddress, found: result.kind },
          'an answer is not signed by its node',
        );
        return failed;
      }
      const isSigned = () => node().protocol === 'atoma' && node().signerAddress !== '';
      return {
        responseEvent: (event) =>
          isSigned() && (options.coverage === 'all' || isEnd(event))
            ? judge(checkResponse(event.text))
            : keep,
        responseBody: ({ text }) => (isSigned() ? judge(checkResponse(text)) : keep),
        responsePiece(piece) {
          if (isSigned()) pieces.push(piece);
        },
        responseEnd: () => (isSigned() ? judge(pieces.end()) : keep),
      };
    },
  };
}

function isEnd({ json }: AnswerPart): boolean {
  const hasUsage = json.usage !== undefined && json.usage !== null;
  return (
    hasUsage || objectsIn(json.choices).some((choice) => typeof choice.finish_reason === 'string')
  );
}
