/**
 * Read masks, applied for real: what is not asked for is unset. A mask is a tree of field names, checked against the
 * schema's own reflection.
 */

type FieldInfo = {
  readonly name: string;
  readonly localName: string;
  readonly kind: string;
  readonly oneof?: string | undefined;
  readonly repeat?: unknown;
  readonly T?: unknown;
};

/** The reflection of a message type, as the SDK ships it. */
export type MessageType<T extends object> = {
  readonly typeName: string;
  readonly fields: readonly FieldInfo[];
  create(): T;
};

export type ReadMask = {
  /** Whether that field, by its protobuf name, is wanted in part or whole. */
  has(name: string): boolean;
  /** The mask of the message in that field. */
  of(name: string): ReadMask;
};

/** A path that the schema does not know. */
export type UnknownPath = { readonly kind: 'unknown-path'; readonly path: string };

type Tree = 'whole' | Map<string, Tree>;
type ParsedMask = ReadMask & { readonly tree: Tree };

const wildcard = '*';

/** Everything. */
const wholeMask: ReadMask = { has: () => true, of: () => wholeMask };

/** Reads a request's mask; without one, only the default fields are wanted. */
export function parseMask<T extends object>(
  type: MessageType<T>,
  options: {
    readonly mask: { readonly paths: readonly string[] } | undefined;
    readonly fallback: string;
  },
): ParsedMask | UnknownPath {
  const { mask, fallback } = options;
  const paths = mask === undefined ? fallback.split(',') : mask.paths;
  const root = new Map<string, Tree>();
  for (const path of paths) {
    if (path === wildcard) return maskOf('whole');
    if (!isKnown(type, path.split('.'))) return { kind: 'unknown-path', path };
    insert(root, path.split('.'));
  }
  return maskOf(root);
}

/** A copy of the message with only the wanted fields. */
export function applyMask<T extends object>(type: MessageType<T>, message: T, mask: ParsedMask): T {
  return prune(type, message, mask.tree);
}

function maskOf(tree: Tree): ParsedMask {
  if (tree === 'whole') return { ...wholeMask, tree };
  return {
    tree,
    has: (name) => tree.has(name),
    of: (name) => maskOf(tree.get(name) ?? new Map()),
  };
}

function insert(root: Map<string, Tree>, path: readonly string[]): void {
  const [head = '', ...rest] = path;
  const known = root.get(head);
  if (known === 'whole') return;
  if (rest.length === 0) {
    root.set(head, 'whole');
    return;
  }
  const child = known ?? new Map<string, Tree>();
  root.set(head, child);
  insert(child, rest);
}

function isKnown(type: MessageType<object>, path: readonly string[]): boolean {
  const [head, ...rest] = path;
  const field = type.fields.find(({ name }) => name === head);
  if (!field || rest.length === 0) return field !== undefined;
  const inner = messageTypeOf(field);
  return inner !== undefined && isKnown(inner, rest);
}

function prune<T extends object>(type: MessageType<T>, message: T, tree: Tree): T {
  if (tree === 'whole') return message;
  const result = type.create();
  for (const field of type.fields) {
    const wanted = tree.get(field.name);
    if (wanted === undefined) continue;
    if (field.oneof === undefined) {
      const value: unknown = Reflect.get(message, field.localName);
      if (value !== undefined)
        Reflect.set(result, field.localName, pruneField(field, value, wanted));
    } else {
      pruneOneof(field, { message, result, wanted });
    }
  }
  return result;
}

function pruneOneof(
  field: FieldInfo,
  options: { readonly message: object; readonly result: object; readonly wanted: Tree },
): void {
  const { message, result, wanted } = options;
  const group: unknown = Reflect.get(message, field.oneof ?? '');
  if (!isObject(group) || Reflect.get(group, 'oneofKind') !== field.localName) return;
  const value = pruneField(field, Reflect.get(group, field.localName), wanted);
  Reflect.set(result, field.oneof ?? '', { oneofKind: field.localName, [field.localName]: value });
}

function pruneField(field: FieldInfo, value: unknown, tree: Tree): unknown {
  const inner = messageTypeOf(field);
  if (!inner || tree === 'whole') return value;
  if (Array.isArray(value)) return value.map((item) => prune(inner, item, tree));
  return isObject(value) ? prune(inner, value, tree) : value;
}

function messageTypeOf({ kind, T: inner }: FieldInfo): MessageType<object> | undefined {
  if (kind !== 'message' || typeof inner !== 'function') return undefined;
  return inner();
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
