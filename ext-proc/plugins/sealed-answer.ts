/**
 * Checks the answers of nodes to sealed requests, of which nobody here can read more than the frame: its shape, the node's signature over
 * the hash that it names, and that no nonce comes twice. Whether the hash is that of the text, only the caller can tell.
 */
import type { Counter } from 'prom-client';
import { signerOf } from '../../chain/request-signature.ts';
import { parseAnswer } from '../../confidential/answer.ts';
import { createStreamNonces } from '../../confidential/stream-nonces.ts';
import type { JsonObject } from '../../domain/json.ts';
import { isObject } from '../../domain/json.ts';
import { type ExtProcPlugin, keep, type Verdict } from '../plugin.ts';
import { createSealedTail } from '../sealed-tail.ts';
import { completedUsage } from '../sealed-usage.ts';

const failed: Verdict = {
  kind: 'fail',
  failure: { kind: 'sealed-failed' },
  ending: 'node-failed',
};

/** `coverage` says which events' signatures are checked: all, or those that tell the usage. */
export function createSealedAnswer(options: {
  readonly coverage: 'ends' | 'all';
  readonly refused: Counter<'node' | 'reason'>;
  readonly repeatedNonces: Counter<'node'>;
}): ExtProcPlugin {
  return {
    name: 'sealed-answer',
    hooks: { request: 'headers' },
    begin({ exchange, tally, log, node }) {
      const { sealed } = exchange;
      if (!sealed) return {};
      const nonces = createStreamNonces({ requestNonce: Buffer.from(sealed.nonce, 'base64') });
      const tail = createSealedTail();

      function refuse(reason: 'signature' | 'shape'): Verdict {
        tally.trusted = false;
        options.refused.inc({ node: node().id, reason });
        log.warn({ node: node().id, reason }, 'a sealed answer is not as a node seals it');
        return failed;
      }

      function judgeSigner(signer: string | undefined): Verdict {
        const { signerAddress } = node();
        return signerAddress === '' || signer === signerAddress ? keep : refuse('signature');
      }

      /** What is told once for a stream is counted for each event. */
      function watch(nonce: Uint8Array): void {
        if (!nonces.isRepeated(nonce)) return;
        options.repeatedNonces.inc({ node: node().id });
        if (nonces.repeated() === 1) log.warn({ node: node().id }, 'a node repeats a nonce');
      }

      function judge(text: string, isSignatureDue: boolean): Verdict {
        const answer = parseAnswer(text);
        if ('kind' in answer) return refuse('shape');
        watch(answer.nonce);
        return isSignatureDue ? judgeSigner(signerOf(answer.hash, answer.signature)) : keep;
      }

      return {
        responseEvent: ({ text, json }) =>
          judge(text, options.coverage === 'all' || isObject(json.usage)),
        responseBody({ text, json }) {
          const verdict = judge(text, true);
          return verdict.kind === 'keep' ? withOutputTokens(json) : verdict;
        },
        responsePiece: (piece) => tail.push(piece),
        responseEnd: () => judgeSigner(tail.signer()),
      };
    },
  };
}

function withOutputTokens(json: JsonObject): Verdict {
  const usage = completedUsage(json.usage);
  return usage ? { kind: 'replace', text: JSON.stringify({ ...json, usage }) } : keep;
}
