/** Coins, object versions, gas and transactions at one full node. */
import { GrpcTypes } from '@mysten/sui/grpc';
import { fromBase64, normalizeStructTag, normalizeSuiAddress } from '@mysten/sui/utils';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { FullNodeError } from '../full-node.ts';
import { coinObjectType } from '../move-type.ts';
import type {
  CoinQuery,
  Execution,
  ExecutionResult,
  ObjectOwner,
  ObjectState,
  OwnedCoin,
  TransactionNode,
} from '../transaction-node.ts';
import type { Connection } from './connection.ts';
import { expectAddress, expectAmount, expectSet, expectType, unlessMissing } from './expect.ts';
import { pagesOf } from './pages.ts';

const pageCoinsMax = 1000;
const batchObjectsMax = 50;
const stateMask = ['object_id', 'version', 'digest', 'owner'];
const coinMask = [...stateMask, 'object_type', 'balance'];
const executionMask = [
  'digest',
  'effects.status',
  'effects.changed_objects',
  'events.events',
  'balance_changes',
];
const { Owner_OwnerKind: OwnerKind, ChangedObject_IdOperation: IdOperation } = GrpcTypes;

/** The part of the port that makes transactions. */
export function createTransactionNode(connection: Connection): TransactionNode {
  const { client } = connection;
  return {
    async gasTerms(signal) {
      const { epoch } = await connection.call(signal, (call) =>
        client.ledgerService.getEpoch(
          { readMask: { paths: ['epoch', 'reference_gas_price'] } },
          call,
        ),
      );
      return {
        epoch: expectSet(epoch?.epoch, 'epoch.epoch'),
        gasPrice: expectSet(epoch?.referenceGasPrice, 'epoch.reference_gas_price'),
      };
    },

    async coins(query, signal) {
      const ids = await listCoinIds({ connection, query, signal });
      const coins: OwnedCoin[] = [];
      // The list comes from an index that may lag: the versions are asked for one by one.
      for (let start = 0; start < ids.length; start += batchObjectsMax) {
        const batch = ids.slice(start, start + batchObjectsMax);
        const objects = await readObjects({ connection, ids: batch, signal });
        coins.push(...objects.flatMap((object) => toCoin(object, query)));
      }
      return coins;
    },

    async object(objectId, signal) {
      const answer = await unlessMissing(() =>
        connection.call(signal, (call) =>
          client.ledgerService.getObject({ objectId, readMask: { paths: stateMask } }, call),
        ),
      );
      return answer && toState(expectSet(answer.object, 'object'));
    },

    async execute({ digest, bytes, signatures }, signal) {
      const { transaction } = await connection.call(signal, (call) =>
        client.transactionExecutionService.executeTransaction(
          {
            transaction: { bcs: { value: bytes } },
            signatures: signatures.map((signature) => ({
              bcs: { value: fromBase64(signature) },
              signature: { oneofKind: undefined },
            })),
            readMask: { paths: executionMask },
          },
          call,
        ),
      );
      return toExecution(expectSet(transaction, 'transaction'), digest);
    },

    async transaction(digest, signal) {
      const answer = await unlessMissing(() =>
        connection.call(signal, (call) =>
          client.ledgerService.getTransaction({ digest, readMask: { paths: executionMask } }, call),
        ),
      );
      return answer && toExecution(expectSet(answer.transaction, 'transaction'), digest);
    },
  };
}

type Reader = { readonly connection: Connection; readonly signal: AbortSignal };

async function listCoinIds(options: Reader & { query: CoinQuery }): Promise<readonly SuiAddress[]> {
  const { connection, query, signal } = options;
  const first = {
    owner: query.owner,
    objectType: coinObjectType(query.coinType),
    pageSize: pageCoinsMax,
    readMask: { paths: ['object_id'] },
  };
  const ids: SuiAddress[] = [];
  const pages = pagesOf((next) =>
    connection.call(signal, (call) =>
      connection.client.stateService.listOwnedObjects({ ...first, ...next }, call),
    ),
  );
  for await (const page of pages) {
    ids.push(...page.objects.map(({ objectId }) => expectAddress(objectId, 'object_id')));
  }
  return ids;
}

/** Those that exist. */
async function readObjects(
  options: Reader & { ids: readonly SuiAddress[] },
): Promise<readonly GrpcTypes.Object[]> {
  const { connection, ids, signal } = options;
  const { objects } = await connection.call(signal, (call) =>
    connection.client.ledgerService.batchGetObjects(
      { requests: ids.map((objectId) => ({ objectId })), readMask: { paths: coinMask } },
      call,
    ),
  );
  return objects.flatMap(({ result }) => (result.oneofKind === 'object' ? result.object : []));
}

function toCoin(object: GrpcTypes.Object, { owner, coinType }: CoinQuery): readonly OwnedCoin[] {
  const { ref, owner: holder } = toState(object);
  const isHis = holder.kind === 'address' && holder.address === owner;
  if (!isHis) return [];
  if (expectType(object.objectType, 'object_type') !== coinObjectType(coinType)) return [];
  return [{ ...ref, balance: expectSet(object.balance, 'balance') }];
}

function toState(object: GrpcTypes.Object): ObjectState {
  return {
    ref: {
      objectId: expectAddress(object.objectId, 'object_id'),
      version: expectSet(object.version, 'version'),
      digest: expectSet(object.digest, 'digest'),
    },
    owner: toOwner(expectSet(object.owner, 'owner')),
  };
}

function toOwner({ kind, address, version }: GrpcTypes.Owner): ObjectOwner {
  if (kind === OwnerKind.ADDRESS) {
    return { kind: 'address', address: expectAddress(address, 'owner.address') };
  }
  if (kind === OwnerKind.SHARED) {
    return { kind: 'shared', initialVersion: expectSet(version, 'owner.version') };
  }
  return { kind: 'other' };
}

function toExecution(executed: GrpcTypes.ExecutedTransaction, digest: string): Execution {
  if (executed.digest !== digest) {
    throw new FullNodeError('protocol', `asked for ${digest}, got ${executed.digest}`);
  }
  const effects = expectSet(executed.effects, 'effects');
  return {
    digest,
    result: toResult(expectSet(effects.status, 'effects.status')),
    created: effects.changedObjects
      .filter(({ idOperation }) => idOperation === IdOperation.CREATED)
      .map(toCreated),
    events: (executed.events?.events ?? []).map((event) => ({
      type: expectSet(event.eventType, 'event.event_type'),
      contents: new Uint8Array(expectSet(event.contents?.value, 'event.contents')),
    })),
    balanceChanges: executed.balanceChanges.map(({ address, coinType, amount }) => ({
      owner: expectAddress(address && normalizeSuiAddress(address), 'balance_change.address'),
      coinType: normalizeStructTag(expectSet(coinType, 'balance_change.coin_type')),
      amount: expectAmount(amount, 'balance_change.amount'),
    })),
  };
}

function toCreated(change: GrpcTypes.ChangedObject) {
  return {
    ref: {
      objectId: expectAddress(change.objectId, 'changed_object.object_id'),
      version: expectSet(change.outputVersion, 'changed_object.output_version'),
      digest: expectSet(change.outputDigest, 'changed_object.output_digest'),
    },
    owner: toOwner(expectSet(change.outputOwner, 'changed_object.output_owner')),
    type: expectType(change.objectType, 'object_type'),
  };
}

function toResult({ success, error }: GrpcTypes.ExecutionStatus): ExecutionResult {
  if (expectSet(success, 'status.success')) return { kind: 'success' };
  const details = error?.errorDetails;
  if (details?.oneofKind !== 'abort') {
    return { kind: 'failure', description: error?.description ?? `kind ${error?.kind}` };
  }
  const { abortCode, location } = details.abort;
  return {
    kind: 'abort',
    module: location?.module ?? '',
    code: expectSet(abortCode, 'abort.abort_code'),
  };
}
