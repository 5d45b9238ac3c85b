/**
 * The text that an Atoma node prints for a body before it hashes it: serde_json, compact, key order kept, a repeated key
 * in its first place with its last value. Only numbers of at most 15 digits survive the node's own parser unchanged.
 */
import { nodeNumber } from './canonical-number.ts';

/**
 * Prints a JSON text as a node would.
 * @throws where the text is not JSON or holds a lone surrogate, which nodes reject; check the text before.
 */
export function canonicalJson(text: string): string {
  const printer = new Printer(text);
  const printed = printer.value();
  printer.expectEnd();
  return printed;
}

const stringPattern = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const numberPattern = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordPattern = /true|false|null/y;
const spacePattern = /[ \t\n\r]*/y;

/** A position in the text; one pass, no copies but the result. */
class Printer {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): string {
    this.#take(spacePattern);
    const first = this.#text[this.#at];
    if (first === '{') return this.#object();
    if (first === '[') return this.#array();
    if (first === '"') return this.#string();
    const word = this.#take(wordPattern);
    return word ?? nodeNumber(this.#require(numberPattern));
  }

  expectEnd(): void {
    this.#take(spacePattern);
    if (this.#at !== this.#text.length) throw new SyntaxError('text after the JSON value');
  }

  #object(): string {
    // A map keeps the first place of a repeated key and its last value, as serde_json does.
    const members = new Map<string, string>();
    this.#list('}', () => {
      this.#take(spacePattern);
      const key = this.#string();
      this.#take(spacePattern);
      this.#skip(':');
      members.set(key, this.value());
    });
    return `{${[...members].map(([key, value]) => `${key}:${value}`).join(',')}}`;
  }

  #array(): string {
    const items: string[] = [];
    this.#list(']', () => items.push(this.value()));
    return `[${items.join(',')}]`;
  }

  #list(end: string, item: () => void): void {
    this.#at += 1;
    this.#take(spacePattern);
    if (this.#text[this.#at] === end) {
      this.#at += 1;
      return;
    }
    do {
      item();
      this.#take(spacePattern);
    } while (this.#skip(`,${end}`) === ',');
  }

  #string(): string {
    const value: unknown = JSON.parse(this.#require(stringPattern));
    if (typeof value !== 'string' || !value.isWellFormed()) throw new SyntaxError('lone surrogate');
    return JSON.stringify(value);
  }

  #skip(allowed: string): string {
    const next = this.#text[this.#at] ?? '';
    if (next === '' || !allowed.includes(next)) throw new SyntaxError(`expected one of ${allowed}`);
    this.#at += 1;
    return next;
  }

  #require(pattern: RegExp): string {
    const found = this.#take(pattern);
    if (found === undefined) throw new SyntaxError('not JSON');
    return found;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
