/** Reads the nodes file: YAML whose scalars stay text, so that a price is exact, and problems that name their line. */
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { type Declaration, declarationSchema } from './declaration.ts';

export type DeclarationResult =
  | { readonly kind: 'declaration'; readonly declaration: Declaration }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** All problems at once, each with the line where it stands. */
export function parseNodesYaml(text: string): DeclarationResult {
  const lines = new LineCounter();
  // The schema "failsafe" guesses no types: 0.10 stays "0.10" and never becomes a float.
  const document = parseDocument(text, { schema: 'failsafe', lineCounter: lines });
  if (document.errors.length > 0) {
    return { kind: 'problems', problems: document.errors.map(({ message }) => message.trim()) };
  }
  const read = toValue(document);
  if (read.kind === 'problems') return read;
  const result = declarationSchema.safeParse(read.value);
  if (result.success) return { kind: 'declaration', declaration: result.data };
  return {
    kind: 'problems',
    problems: result.error.issues.flatMap((issue) => toProblems(issue, document, lines)),
  };
}

function toValue(document: Document.Parsed) {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    // An empty file holds no node; failsafe YAML reads it as empty text.
    return { kind: 'value', value: value === '' || value === null ? {} : value } as const;
  } catch (cause) {
    // Aliases that expand without end are refused by the reader.
    return { kind: 'problems', problems: [String(cause)] } as const;
  }
}

function toProblems(
  issue: z.core.$ZodIssue,
  document: Document.Parsed,
  lines: LineCounter,
): string[] {
  const path = issue.path.filter((key) => typeof key !== 'symbol');
  const at = (where: readonly (string | number)[]) => `line ${lineOf(where, document, lines)}`;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${at([...path, key])}: unknown setting "${key}"`);
  }
  const name = path.join('.');
  return [`${at(path)}: ${name === '' ? '' : `${name}: `}${issue.message}`];
}

/** The line of the nearest thing that exists on the path: a missing setting is reported at its parent. */
function lineOf(
  path: readonly (string | number)[],
  document: Document.Parsed,
  lines: LineCounter,
): number {
  const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents;
  const pair = isMap(parent) ? parent.items.find((item) => hasKey(item, path.at(-1))) : undefined;
  const found = pair ? pair.key : document.getIn(path, true);
  if (isNode(found) && found.range) return lines.linePos(found.range[0]).line;
  return path.length === 0 ? 1 : lineOf(path.slice(0, -1), document, lines);
}

const hasKey = (item: unknown, key: string | number | undefined) =>
  isPair(item) && isScalar(item.key) && item.key.value === key;
