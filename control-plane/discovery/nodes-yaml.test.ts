import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatUsd } from '../../domain/money.ts';
import { parseNodeUrl } from './declaration.ts';
import { parseNodesYaml } from './nodes-yaml.ts';

const model = (extra = '') => `models:
  - id: org/small
    endpoints: [chat]
    context_tokens: 8192
    output_tokens_max: 1024
${extra}`;

function problemsOf(text: string) {
  const result = parseNodesYaml(text);
  return result.kind === 'problems' ? result.problems : [];
}

function declared(text: string) {
  const result = parseNodesYaml(text);
  if (result.kind === 'problems') throw new Error(result.problems.join('\n'));
  return result.declaration;
}

describe('parseNodesYaml', () => {
  it('accepts the documented example', () => {
    const example = join(import.meta.dirname, '../../examples/nodes.yaml');
    const { models, nodes } = declared(readFileSync(example, 'utf8'));
    expect(models.map(({ price }) => price?.inputToken)).toEqual([130_000n, 10_000n, 0n]);
    expect(models[2]?.price?.imagePixel).toBe(2500n);
    expect(nodes.map(({ weight, port }) => [weight, port])).toEqual([
      [100, 8001],
      [50, 8002],
      [100, 8003],
    ]);
    expect(nodes[2]?.models[0]?.stacks).toEqual([{ id: '41', units: 1_000_000 }]);
  });

  it('reads an empty file as no nodes', () => {
    for (const text of ['', '# nothing\n', '{}', 'models: []']) {
      expect(declared(text)).toEqual({ models: [], nodes: [] });
    }
  });

  it('fills in what may be left out', () => {
    const text = `${model('    price: { input: 0.1, output: 1 }')}
nodes:
  - { id: a, url: 'https://gpu.example', models: [org/small] }`;
    expect(declared(text)).toMatchObject({
      models: [
        {
          createdSeconds: 0,
          ownedBy: 'atoma',
          mediaTokensMax: 8192,
          price: { inputToken: 100_000n, cachedInputToken: 100_000n, image: 0n, imagePixel: 0n },
        },
      ],
      nodes: [
        {
          host: 'gpu.example',
          port: 443,
          tls: true,
          protocol: 'openai',
          weight: 100,
          signerAddress: '',
          models: [{ model: 'org/small', stacks: [] }],
        },
      ],
    });
  });

  it('keeps every price exact, whatever its size', () => {
    // A micro-dollar per million tokens is one pico-dollar per token.
    const pico = fc.bigInt(0n, 10n ** 12n);
    fc.assert(
      fc.property(pico, pico, (input, output) => {
        const perMillion = (amount: bigint) => formatUsd(amount * 1_000_000n);
        const price = `{ input: ${perMillion(input)}, output: ${perMillion(output)} }`;
        expect(declared(model(`    price: ${price}`)).models[0]?.price).toMatchObject({
          inputToken: input,
          outputToken: output,
        });
      }),
    );
  });

  it.each(['0.0000001', '-1', '1e-3', '.inf', '1_000', '12345678901', '0x10', '~', ''])(
    'refuses the price %s',
    (price) => {
      const [problem = ''] = problemsOf(model(`    price: { input: ${price}, output: 0 }`));
      expect(problem).toContain('line 6');
    },
  );

  it.each([
    ['an unknown setting', model('    colour: red'), 'line 6: unknown setting "colour"'],
    ['a section that it does not know', `${model()}node: []`, 'unknown setting "node"'],
    [
      'a missing setting',
      'models:\n  - id: a\n    endpoints: [chat]\n',
      'line 2: models.0.context',
    ],
    [
      'a wrong endpoint',
      model().replace('[chat]', '[chat, audio]'),
      'line 3: models.0.endpoints.1',
    ],
    [
      'a model that stands twice',
      model() + model().replace('models:\n', ''),
      'line 6: models.1.id',
    ],
    [
      'a model that nobody declares',
      `${model()}nodes:\n  - id: a\n    url: http://h:1\n    models:\n      - org/large\n`,
      'line 10: nodes.0.models.0: no model "org/large"',
    ],
    ['a setting that stands twice', `${model()}    id: other\n`, 'unique'],
    [
      'pictures for nothing',
      model('    price: { input: 0, output: 0 }').replace('chat', 'images'),
      'image_pixel',
    ],
    ['a list where a map belongs', '- a\n- b\n', 'line 1'],
    ['broken YAML', 'models: [', 'line 1'],
  ])('names the line of %s', (_what, text, problem) => {
    expect(problemsOf(text).join('\n')).toContain(problem);
  });

  it.each(['weight: 0', 'weight: 101', 'weight: 1.5', 'protocol: grpc', 'signer_address: 0x12'])(
    'refuses a node with %s',
    (line) => {
      const text = `${model()}nodes:\n  - id: a\n    url: http://h:1\n    models: [org/small]\n    ${line}\n`;
      expect(problemsOf(text).join()).toContain('line 10');
    },
  );

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseNodesYaml(text)));
    const bomb = Array.from({ length: 12 }, (_, at) =>
      at === 0
        ? 'a0: &a0 [x, x]'
        : `a${at}: &a${at} [${Array(9)
            .fill(`*a${at - 1}`)
            .join()}]`,
    ).join('\n');
    expect(problemsOf(bomb)).not.toEqual([]);
  });
});

describe('parseNodeUrl', () => {
  it.each([
    ['http://10.0.0.1:8000', { host: '10.0.0.1', port: 8000, tls: false }],
    ['http://[::1]:8000/', { host: '::1', port: 8000, tls: false }],
    ['https://GPU.example', { host: 'gpu.example', port: 443, tls: true }],
    ['http://gpu:80', { host: 'gpu', port: 80, tls: false }],
  ])('takes %s apart', (text, address) => {
    expect(parseNodeUrl(text)).toEqual(address);
  });

  it.each([
    'gpu:80',
    'ftp://gpu:80',
    'http://gpu:80/v1',
    'http://gpu:80?x',
    'http://user@gpu:80',
    'http://gpu:0',
    'http://gpu:65536',
    'http://',
    'http://a b',
  ])('refuses %s', (text) => {
    expect(parseNodeUrl(text)).toBeUndefined();
  });
});
