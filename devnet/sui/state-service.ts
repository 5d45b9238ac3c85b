/** StateService: what addresses own, dynamic fields, coins and balances, as they are now. */

import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import { readAddress, readType } from './addresses.ts';
import { type NodeContext, openMask } from './node-context.ts';
import { balanceOf, coinOf, coinTypeOf, type LedgerObject, suiType } from './objects.ts';
import { byText } from './order.ts';
import { type PageRequest, pageOf } from './paging.ts';
import type { ReadMask } from './read-mask.ts';
import { type Handlers, statusError } from './serving.ts';
import { isField, parseField } from './tables.ts';
import { objectMessage } from './wire-objects.ts';

const { DynamicField_DynamicFieldKind: FieldKind } = GrpcTypes;
const coinDecimals = { sui: 9, usdc: 6 } as const;

export function createStateService(context: NodeContext): Handlers<SuiGrpcClient['stateService']> {
  const { store } = context.chain.ledger;
  const paging = (request: PageRequest, list: string) => ({
    request,
    scope: `${context.provider} ${list}`,
    emptyPages: context.faults.current().emptyPages,
  });
  return {
    listDynamicFields(request) {
      const parent = readAddress(request.parent, 'parent');
      const opened = openMask(GrpcTypes.DynamicField, request.readMask, 'parent,field_id');
      const fields = store.ownedBy(parent).filter(isField);
      const options = paging(request, `fields ${parent}`);
      const { page, next } = pageOf(fields, { ...options, keyOf: ({ id }) => id });
      const messages = page.map((object) =>
        opened.apply(fieldMessage(object, { parent, store, mask: opened.mask })),
      );
      return { dynamicFields: messages, ...next };
    },
    listOwnedObjects(request) {
      const owner = readAddress(request.owner, 'owner');
      const fallback = 'object_id,version,object_type';
      const { mask, apply } = openMask(GrpcTypes.Object, request.readMask, fallback);
      const isWanted = typeFilter(request.objectType);
      const objects = store.ownedBy(owner).filter(({ type }) => isWanted(type));
      const options = paging(request, `objects ${owner} ${request.objectType ?? ''}`);
      const { page, next } = pageOf(objects, { ...options, keyOf: ({ id }) => id });
      return { objects: page.map((object) => apply(objectMessage(object, mask))), ...next };
    },
    getCoinInfo: (request) => coinInfo(context, readType(request.coinType, 'coin_type')),
    getBalance(request) {
      const owner = readAddress(request.owner, 'owner');
      const coinType = readType(request.coinType ?? suiType, 'coin_type');
      const wanted = coinTypeOf(coinType);
      const coins = store.ownedBy(owner).filter(({ type }) => type === wanted);
      return { balance: balanceMessage(coinType, coins) };
    },
    listBalances(request) {
      const owner = readAddress(request.owner, 'owner');
      const coins = Map.groupBy(store.ownedBy(owner), ({ type }) => coinOf(type) ?? '');
      coins.delete('');
      const balances = [...coins.keys()]
        .sort(byText)
        .map((coinType) => balanceMessage(coinType, coins.get(coinType) ?? []));
      const options = paging(request, `balances ${owner}`);
      const keyOf = ({ coinType }: GrpcTypes.Balance) => coinType ?? '';
      const { page, next } = pageOf(balances, { ...options, keyOf });
      return { balances: page, ...next };
    },
  };
}

function fieldMessage(
  object: LedgerObject,
  about: {
    readonly parent: string;
    readonly store: NodeContext['chain']['ledger']['store'];
    readonly mask: ReadMask;
  },
): GrpcTypes.DynamicField {
  const { parent, store, mask } = about;
  const { name, value, childId } = parseField(object);
  const child = childId === undefined ? undefined : store.get(childId);
  const message: GrpcTypes.DynamicField = {
    kind: child ? FieldKind.OBJECT : FieldKind.FIELD,
    parent,
    fieldId: object.id,
    name: { name: name.type, value: name.bytes },
    value: { name: value.type, value: value.bytes },
    valueType: child?.type ?? value.type,
  };
  if (mask.has('field_object')) {
    message.fieldObject = objectMessage(object, mask.of('field_object'));
  }
  if (!child) return message;
  message.childId = child.id;
  if (mask.has('child_object')) message.childObject = objectMessage(child, mask.of('child_object'));
  return message;
}

function typeFilter(wanted: string | undefined): (type: string) => boolean {
  if (wanted === undefined) return () => true;
  const type = readType(wanted, 'object_type');
  // Without type parameters, any will do.
  return (given) => given === type || (!type.includes('<') && given.startsWith(`${type}<`));
}

function balanceMessage(coinType: string, coins: readonly LedgerObject[]): GrpcTypes.Balance {
  const balance = coins.reduce((sum, coin) => sum + balanceOf(coin), 0n);
  return { coinType, balance, coinBalance: balance, addressBalance: 0n };
}

function coinInfo({ chain }: NodeContext, coinType: string): GrpcTypes.GetCoinInfoResponse {
  const known = new Map([
    [suiType, { decimals: coinDecimals.sui, name: 'Sui', symbol: 'SUI' }],
    [chain.usdcType, { decimals: coinDecimals.usdc, name: 'USDC', symbol: 'USDC' }],
  ]);
  const metadata = known.get(coinType);
  if (!metadata) throw statusError('NOT_FOUND', `Coin type ${coinType} not found`);
  return { coinType, metadata: { ...metadata, description: '' } };
}
