import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { suiAddress } from '../../domain/chain-ids.ts';
import type { LedgerTransaction } from '../full-node.ts';
import { depositIn } from './transfers.ts';

const addressOf = (n: number) => suiAddress(`0x${n.toString(16).padStart(64, '0')}`);
const usdc = `0x${'a'.repeat(64)}::usdc::USDC`;
const [treasury, ann, bob] = [addressOf(1), addressOf(2), addressOf(3)];
const stackOwner = addressOf(4);
const gateway = {
  address: treasury,
  ownAddresses: [stackOwner],
  coinType: usdc,
  firstCheckpoint: 5n,
};

type Change = readonly [address: typeof ann, amount: bigint, coinType?: string];
const transaction = (
  changes: readonly Change[],
  parts: Partial<LedgerTransaction> = {},
): LedgerTransaction => ({
  digest: 'd',
  isSuccess: true,
  balanceChanges: changes.map(([address, amount, coinType = usdc]) => ({
    address,
    amount,
    coinType,
  })),
  position: { checkpoint: 9n, transaction: 0n, event: 0 },
  timeMs: 1,
  ...parts,
});
const paid: readonly Change[] = [
  [ann, -7n],
  [treasury, 7n],
  [ann, -1000n, '0x2::sui::SUI'],
];

describe('a deposit', () => {
  it('is what the gateway has more, of whoever has less', () => {
    expect(depositIn(transaction(paid), gateway)).toEqual({
      digest: 'd',
      index: 0,
      amount: 7n,
      payer: ann,
      checkpoint: 9n,
      timeMs: 1,
    });
  });

  it.each([
    ['nobody, where a contract pays', [[treasury, 7n]]],
    [
      'nobody, where two pay',
      [
        [ann, -3n],
        [bob, -4n],
        [treasury, 7n],
      ],
    ],
    [
      'nobody, where coins are only minted beside it',
      [
        [treasury, 7n],
        [bob, 1n],
      ],
    ],
  ] as const)('is of %s', (_name, changes) => {
    expect(depositIn(transaction(changes), gateway)).toMatchObject({ payer: undefined });
  });

  it.each([
    [
      'a payment to somebody else',
      [
        [ann, -7n],
        [bob, 7n],
      ],
    ],
    [
      'a payment by the gateway',
      [
        [treasury, -7n],
        [bob, 7n],
      ],
    ],
    [
      'another coin',
      [
        [ann, -7n, '0x2::sui::SUI'],
        [treasury, 7n, '0x2::sui::SUI'],
      ],
    ],
    [
      'a coin of the same name',
      [
        [ann, -7n, `0xb::usdc::USDC`],
        [treasury, 7n, `0xb::usdc::USDC`],
      ],
    ],
    [
      'a coin of a longer type',
      [
        [ann, -7n, `${usdc}<u8>`],
        [treasury, 7n, `${usdc}<u8>`],
      ],
    ],
    ['gas of the gateway', [[treasury, -7n, '0x2::sui::SUI']]],
    [
      'what comes back in the same transaction',
      [
        [treasury, 7n],
        [treasury, -7n],
      ],
    ],
    [
      'what comes back from the stack owner',
      [
        [stackOwner, -7n],
        [treasury, 7n],
      ],
    ],
    [
      'a payment to the stack owner',
      [
        [ann, -7n],
        [stackOwner, 7n],
      ],
    ],
    ['nothing at all', []],
  ] as const)('is not %s', (_name, changes) => {
    expect(depositIn(transaction(changes), gateway)).toBeUndefined();
  });

  it('leaves out what the stack owner gives or gets beside it', () => {
    const giving: readonly Change[] = [
      [ann, -4n],
      [stackOwner, -3n],
      [treasury, 7n],
    ];
    expect(depositIn(transaction(giving), gateway)).toMatchObject({ payer: ann, amount: 4n });
    const getting: readonly Change[] = [
      [ann, -7n],
      [stackOwner, 3n],
      [treasury, 4n],
    ];
    expect(depositIn(transaction(getting), gateway)).toMatchObject({ payer: ann, amount: 4n });
  });

  it('is none where the transaction was aborted, or is older than what counts', () => {
    expect(depositIn(transaction(paid, { isSuccess: false }), gateway)).toBeUndefined();
    const position = { checkpoint: 4n, transaction: 0n, event: 0 };
    expect(depositIn(transaction(paid, { position }), gateway)).toBeUndefined();
  });

  it('does not depend on the order in which a node tells balances', () => {
    const change = fc.tuple(fc.constantFrom(treasury, ann, bob, stackOwner), fc.bigInt(-9n, 9n));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(5), (changes, turn) => {
        const turned = [...changes.slice(turn), ...changes.slice(0, turn)];
        const both = [changes, turned.toReversed()].map((some) =>
          depositIn(transaction(some), gateway),
        );
        expect(both[0]).toEqual(both[1]);
      }),
    );
  });
});
