/** A chain with its genesis, a faucet and published contracts: the ledger, and what is done to it without a wallet. */
import { randomBytes } from 'node:crypto';
import { bcs } from '@mysten/sui/bcs';
import { normalizeStructTag, normalizeSuiAddress } from '@mysten/sui/utils';
import { randomId } from './commands.ts';
import type { Draft, LedgerEvent } from './draft.ts';
import { type ExecutionWorld, executeFree } from './execute.ts';
import type { Executed } from './executed.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { mint } from './move-context.ts';
import { type DraftObject, packageType } from './objects.ts';
import type { CheckWorld } from './transaction-checks.ts';
import { type ParsedTransaction, systemTransaction } from './transaction-data.ts';

/** USDC of Sui's test network. */
const usdcTypeDefault =
  '0xa1ec7fc00a6f40db9693ad1415d0c193ad3906494428cf252621037bd7117e29::usdc::USDC';

export type ChainOptions = {
  readonly nowMs?: () => number;
  readonly drawU64?: () => bigint;
  readonly usdcType?: string;
  readonly referenceGasPrice?: bigint;
  /** Older checkpoints are pruned. */
  readonly checkpointsMax?: number;
  /** From where contracts count nodes, tasks and stacks; beyond what an earlier chain may have reached. */
  readonly firstSmallId?: bigint;
};

/** A transaction that was accepted and has not been executed. */
export type HeldTransaction = {
  readonly transaction: ParsedTransaction;
  readonly signatures: readonly Uint8Array[];
};

export type Chain = {
  readonly ledger: Ledger;
  readonly usdcType: string;
  readonly firstSmallId: bigint;
  readonly chainId: () => string;
  /** Addresses whose zkLogin signatures the full nodes call valid. */
  readonly vouched: Set<string>;
  /** Transactions whose objects are locked, and which may still land. */
  readonly held: Map<string, HeldTransaction>;
  readonly executionWorld: () => ExecutionWorld;
  readonly checkWorld: () => CheckWorld;
  /** Changes the ledger in a transaction of its own, free of gas and signatures. */
  readonly change: (sender: string, change: (draft: Draft) => void) => Executed;
  /** Gives an address a coin; returns its id. */
  readonly fund: (address: string, coin: { type: string; amount: bigint }) => string;
  /** Emits any event at all, as foreign packages and upgrades may. */
  readonly emit: (event: LedgerEvent) => Executed;
};

const faucet = normalizeSuiAddress('0xfa');
const systemSender = normalizeSuiAddress('0x0');
const checkpointsMaxDefault = 50_000;
const referenceGasPriceDefault = 1000n;

export function createChain(options: ChainOptions = {}): Chain {
  const {
    nowMs = Date.now,
    drawU64 = () => randomBytes(8).readBigUInt64LE(),
    referenceGasPrice = referenceGasPriceDefault,
    checkpointsMax = checkpointsMaxDefault,
    firstSmallId = 1n,
  } = options;
  const usdcType = normalizeStructTag(options.usdcType ?? usdcTypeDefault);
  const ledger = createLedger({ nowMs, referenceGasPrice, checkpointsMax });
  // No transaction of one chain has the digest of another chain's, as on real ones.
  let counter = BigInt(nowMs()) * 1_000_000n;

  function executionWorld(): ExecutionWorld {
    return {
      objectAt: ledger.store.get,
      epoch: ledger.epoch().number,
      drawU64,
      deployment: (id) => ledger.deployments.get(id),
    };
  }

  function change(sender: string, apply: (draft: Draft) => void): Executed {
    counter += 1n;
    const transaction = systemTransaction(sender, counter);
    const executed = executeFree(transaction, { world: executionWorld(), change: apply });
    ledger.commit(executed);
    return executed;
  }

  change(systemSender, (draft) => genesis(draft, usdcType));
  ledger.seal();
  const chainId = ledger.history.chain.digestAt(0n);

  return {
    ledger,
    usdcType,
    firstSmallId,
    chainId: () => chainId,
    vouched: new Set(),
    held: new Map(),
    executionWorld,
    checkWorld: () => ({
      objectAt: ledger.store.get,
      isPackage: (id) => ledger.store.get(id)?.type === packageType,
      epoch: ledger.epoch().number,
      referenceGasPrice,
      chainId,
    }),
    change,
    fund(address, { type, amount }) {
      let id = '';
      change(faucet, (draft) => {
        const owner = normalizeSuiAddress(address);
        id = mint(draft, { type: normalizeStructTag(type), owner, amount });
      });
      return id;
    },
    emit: (event) => change(event.sender, (draft) => draft.emit(event)),
  };
}

/** A package; its version is all that it holds. */
export const packageObject = (id: string, version = 1n): DraftObject => ({
  id,
  owner: { kind: 'immutable' },
  type: packageType,
  contents: Uint8Array.of(Number(version)),
  hasPublicTransfer: false,
});

/** A shared object gets its initial version at the end of the transaction that makes it. */
export const newlyShared = { kind: 'shared', initialVersion: 0n } as const;

function genesis(draft: Draft, usdcType: string): void {
  for (const id of ['0x1', '0x2', '0x3', usdcType.split('::')[0] ?? '']) {
    draft.write(packageObject(normalizeSuiAddress(id)));
  }
  const shared = [
    { id: randomId, type: '0x2::random::Random' },
    { id: normalizeSuiAddress('0x6'), type: '0x2::clock::Clock' },
  ];
  for (const { id, type } of shared) {
    draft.write({
      id,
      owner: newlyShared,
      type: normalizeStructTag(type),
      contents: Buffer.concat([bcs.Address.serialize(id).toBytes(), Buffer.alloc(8)]),
      hasPublicTransfer: false,
    });
  }
}
