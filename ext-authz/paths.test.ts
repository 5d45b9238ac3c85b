import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { targetOf } from './paths.ts';

describe('targetOf', () => {
  it.each([
    ['/v1/chat/completions', 'chat'],
    ['/v1/completions', 'completions'],
    ['/v1/embeddings', 'embeddings'],
    ['/v1/images/generations', 'images'],
  ])('knows POST %s', (path, endpoint) => {
    expect(targetOf('POST', path)).toEqual({ kind: 'endpoint', endpoint, scope: endpoint });
    expect(targetOf('POST', `${path}?api-version=1#x`)).toMatchObject({ endpoint });
    expect(targetOf('GET', path)).toEqual({ kind: 'method-not-allowed', allow: 'POST' });
  });

  it.each([
    ['/v1/models', 'models'],
    ['/v1/models/meta/llama-3', 'models'],
    ['/v1/attestation/report?model=m', 'models'],
    ['/v1/nodes/sui-7/attestation', 'models'],
    ['/v1/account', 'account'],
    ['/v1/account/usage?after=1', 'account'],
  ])('knows GET %s', (path, scope) => {
    expect(targetOf('GET', path)).toEqual({ kind: 'api', scope });
    expect(targetOf('DELETE', path)).toEqual({ kind: 'method-not-allowed', allow: 'GET' });
  });

  it.each(['/v1/wallets', '/v1/wallets/challenge', '/v1/deposits?limit=1'])(
    'knows GET and POST %s as parts of the account',
    (path) => {
      expect(targetOf('GET', path)).toEqual({ kind: 'api', scope: 'account' });
      expect(targetOf('POST', path)).toEqual({ kind: 'api', scope: 'account' });
      expect(targetOf('PUT', path)).toEqual({ kind: 'method-not-allowed', allow: 'GET, POST' });
    },
  );

  it.each(['/', '', '/v1', '/v1/modelsx', '/v1/chat/completions/', '/V1/models', '//v1/models'])(
    'finds nothing at "%s"',
    (path) => {
      expect(targetOf('POST', path)).toEqual({ kind: 'path-unknown' });
    },
  );

  it('answers whatever it is asked', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (method, path) => {
        expect(targetOf(method, path)).toHaveProperty('kind');
      }),
    );
  });
});
