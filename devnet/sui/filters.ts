/** Filters of lists and subscriptions: terms joined by or, of literals joined by and, each of which may be negated. */
import type { GrpcTypes } from '@mysten/sui/grpc';
import { normalizeStructTag, normalizeSuiAddress } from '@mysten/sui/utils';
import { readAddress } from './addresses.ts';
import type { LedgerEvent } from './draft.ts';
import type { Executed } from './executed.ts';
import { packageType } from './objects.ts';
import { statusError } from './serving.ts';

export type Matcher<Item> = (item: Item) => boolean;

/** Matches everything where there is no filter. */
export function eventMatcher(filter: GrpcTypes.EventFilter | undefined): Matcher<LedgerEvent> {
  if (!filter) return () => true;
  return anyOf(filter.terms, (term) => allOf(term.literals, eventPredicate));
}

/** Matches everything where there is no filter. */
export function transactionMatcher(
  filter: GrpcTypes.TransactionFilter | undefined,
): Matcher<Executed> {
  if (!filter) return () => true;
  return anyOf(filter.terms, (term) => allOf(term.literals, transactionPredicate));
}

function anyOf<Term, Item>(
  terms: readonly Term[],
  toMatcher: (term: Term) => Matcher<Item>,
): Matcher<Item> {
  if (terms.length === 0) throw statusError('INVALID_ARGUMENT', 'a filter needs a term');
  const matchers = terms.map(toMatcher);
  return (item) => matchers.some((matches) => matches(item));
}

function allOf<Literal extends { readonly negated: boolean }, Item>(
  literals: readonly Literal[],
  toMatcher: (literal: Literal) => Matcher<Item>,
): Matcher<Item> {
  if (literals.length === 0) throw statusError('INVALID_ARGUMENT', 'a term needs a literal');
  const matchers = literals.map((literal) => ({
    matches: toMatcher(literal),
    wanted: !literal.negated,
  }));
  return (item) => matchers.every(({ matches, wanted }) => matches(item) === wanted);
}

function eventPredicate({ predicate }: GrpcTypes.EventLiteral): Matcher<LedgerEvent> {
  switch (predicate.oneofKind) {
    case 'sender': {
      const sender = readAddress(predicate.sender.address, 'sender');
      return (event) => event.sender === sender;
    }
    case 'emitModule':
      return emittedBy(predicate.emitModule.module);
    case 'eventType':
      return ofType(predicate.eventType.eventType);
    // There are no authenticated event streams here.
    case 'eventStreamHead':
      return () => false;
    case undefined:
      throw statusError('INVALID_ARGUMENT', 'a literal needs a predicate');
  }
}

function transactionPredicate({ predicate }: GrpcTypes.TransactionLiteral): Matcher<Executed> {
  switch (predicate.oneofKind) {
    case 'sender': {
      const sender = readAddress(predicate.sender.address, 'sender');
      return ({ transaction }) => transaction.sender === sender;
    }
    case 'affectedAddress': {
      const address = readAddress(predicate.affectedAddress.address, 'affected_address');
      return ({ changes }) =>
        changes.some(({ before, after }) =>
          [before, after].some((object) => ownerAddress(object) === address),
        );
    }
    case 'affectedObject': {
      const objectId = readAddress(predicate.affectedObject.objectId, 'affected_object');
      return ({ changes }) => changes.some(({ id }) => id === objectId);
    }
    case 'moveCall':
      return calling(predicate.moveCall.function);
    case 'packageWrite':
      return ({ changes }) => changes.some(({ after }) => after?.type === packageType);
    default:
      return emitting(predicate);
  }
}

type EventLike = Extract<
  GrpcTypes.TransactionLiteral['predicate'],
  GrpcTypes.EventLiteral['predicate']
>;

function emitting(predicate: EventLike): Matcher<Executed> {
  const matches = eventPredicate({ negated: false, predicate });
  return ({ events }) => events.some(matches);
}

const ownerAddress = (object: Executed['changes'][number]['after']): string | undefined =>
  object?.owner.kind === 'address' ? object.owner.address : undefined;

function emittedBy(path: string | undefined): Matcher<LedgerEvent> {
  const [address, module] = pathOf(path);
  return (event) =>
    event.packageId === address && (module === undefined || event.module === module);
}

function calling(path: string | undefined): Matcher<Executed> {
  const [address, module, name] = pathOf(path);
  return ({ transaction }) =>
    transaction.commands.some(({ MoveCall: call }) => {
      if (call?.package !== address) return false;
      const isModule = module === undefined || call?.module === module;
      return isModule && (name === undefined || call?.function === name);
    });
}

function ofType(type: string | undefined): Matcher<LedgerEvent> {
  const [address, module, name] = pathOf(type);
  if (name === undefined) {
    const prefix = module === undefined ? `${address}::` : `${address}::${module}::`;
    return (event) => event.type.startsWith(prefix);
  }
  const exact = normalizeStructTag(type ?? '');
  if (exact.includes('<')) return (event) => event.type === exact;
  // Without type parameters, any instantiation matches.
  return (event) => event.type === exact || event.type.startsWith(`${exact}<`);
}

/** A path of up to three parts; type parameters stay with the last one. */
function pathOf(path: string | undefined): [string, string | undefined, string | undefined] {
  const [address = '', module, ...names] = (path ?? '').split('::');
  if (!/^0x[0-9a-fA-F]{1,64}$/.test(address)) {
    throw statusError('INVALID_ARGUMENT', `invalid path: ${path}`);
  }
  const name = names.length === 0 ? undefined : names.join('::');
  return [normalizeSuiAddress(address), module, name];
}
