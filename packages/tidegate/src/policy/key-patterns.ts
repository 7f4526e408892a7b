// Finds the most specific entry for a key among exact keys and patterns, by lookup: what a check costs depends on how
// many shapes of patterns there are, never on how many entries.

import { optionError } from "./options.ts";
import { MAX_KEY_LENGTH } from "./request.ts";

/** The patterns with so many characters before the `*` and so many after it. */
interface Shape<Entry> {
  readonly before: number;
  readonly after: number;
  /** By the characters before and after, joined: their lengths are the shape's, so no two patterns share them. */
  readonly entries: Map<string, Entry>;
}

/**
 * Entries by exact key or by pattern with one `*`, which stands for any run of characters, none included. A `*` is
 * always a pattern's, there is no escape; a key that has one fits a pattern as any other key does. Characters are
 * UTF-16 code units, and capitals count.
 */
export class KeyPatterns<Entry> {
  readonly #exact = new Map<string, Entry>();
  /** The most specific first. */
  readonly #shapes: Shape<Entry>[] = [];
  #size = 0;

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds an entry.
   * @throws TidegateError INVALID_OPTION naming `field` where the pattern is empty, longer than 1,024 characters, has
   * more than one `*`, or was added already.
   */
  add(field: string, pattern: string, entry: Entry): void {
    checkPattern(field, pattern);
    const before = pattern.indexOf("*");
    const exact = before < 0;
    const after = pattern.length - before - 1;
    const entries = exact ? this.#exact : this.#shapeOf(before, after).entries;
    const literal = exact ? pattern : pattern.slice(0, before) + pattern.slice(before + 1);
    if (entries.has(literal)) {
      throw optionError(field, "another key or pattern than those before it", pattern);
    }
    entries.set(literal, entry);
    this.#size += 1;
  }

  /**
   * Finds the entry of the most specific pattern that fits and that `accepts` (if given) takes: the exact key first,
   * then the pattern with the most literal characters, of two with equally many the one with the longer beginning.
   */
  find(key: string, accepts?: (entry: Entry) => boolean): Entry | undefined {
    const exact = this.#exact.get(key);
    if (exact !== undefined && (accepts === undefined || accepts(exact))) return exact;
    for (const { before, after, entries } of this.#shapes) {
      // The `*` may stand for nothing, but what is before and after it never shares characters.
      if (before + after > key.length) continue;
      const entry = entries.get(literalOf(key, before, after));
      if (entry !== undefined && (accepts === undefined || accepts(entry))) return entry;
    }
    return undefined;
  }

  /** Finds the shape, or adds it in its place. */
  #shapeOf(before: number, after: number): Shape<Entry> {
    let low = 0;
    let high = this.#shapes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const shape = this.#shapes[middle]!;
      const less = before + after - shape.before - shape.after || before - shape.before;
      if (less === 0) return shape;
      if (less < 0) low = middle + 1;
      else high = middle;
    }
    const shape = { before, after, entries: new Map<string, Entry>() };
    this.#shapes.splice(low, 0, shape);
    return shape;
  }
}

/** What of the key stands where a pattern of this shape has its characters. Joins only where there are two pieces. */
function literalOf(key: string, before: number, after: number): string {
  if (after === 0) return key.slice(0, before);
  const end = key.slice(key.length - after);
  return before === 0 ? end : key.slice(0, before) + end;
}

function checkPattern(field: string, pattern: unknown): void {
  if (typeof pattern !== "string" || pattern.length < 1 || pattern.length > MAX_KEY_LENGTH) {
    throw optionError(field, `a key or pattern of 1 to ${MAX_KEY_LENGTH} characters`, pattern);
  }
  if (pattern.indexOf("*") !== pattern.lastIndexOf("*")) {
    throw optionError(field, 'a key, or a pattern with one "*"', pattern);
  }
}
