// Finds the most specific entry for a key among exact keys and patterns, by lookup: what a check costs depends on how
// many shapes of patterns there are, never on how many entries.

import { optionError } from "./options.ts";
import { MAX_KEY_LENGTH } from "./request.ts";

/** A pattern's characters before and after its `*`. */
interface Pattern<Entry> {
  readonly before: string;
  readonly after: string;
  readonly entry: Entry;
  /** The next pattern of the same shape and hash. */
  readonly next: Pattern<Entry> | undefined;
}

/** The patterns with so many characters before the `*` and so many after it. One of them at most fits a key. */
interface Shape<Entry> {
  readonly before: number;
  readonly after: number;
  /** By the hash of both pieces; several patterns of one hash are chained. */
  readonly patterns: Map<number, Pattern<Entry>>;
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
  #beforeMax = 0;
  #afterMax = 0;
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
    const star = pattern.indexOf("*");
    const added =
      star < 0
        ? this.#addExact(pattern, entry)
        : this.#addPattern(pattern.slice(0, star), pattern.slice(star + 1), entry);
    if (!added) throw optionError(field, "another key or pattern than those before it", pattern);
    this.#size += 1;
  }

  /**
   * Finds the entry of the most specific pattern that fits and that `accepts` (if given) takes: the exact key first,
   * then the pattern with the most literal characters, of two with equally many the one with the longer beginning.
   */
  find(key: string, accepts?: (entry: Entry) => boolean): Entry | undefined {
    const exact = this.#exact.get(key);
    if (exact !== undefined && (accepts === undefined || accepts(exact))) return exact;
    return this.#shapes.length === 0 ? undefined : this.#findPattern(key, accepts);
  }

  /**
   * Allocates nothing: with slices of the key for hashes, a key that fits none took three to eight times as long among
   * 36 shapes, and eighty times as long among a thousand.
   */
  #findPattern(key: string, accepts?: (entry: Entry) => boolean): Entry | undefined {
    hashPieces(key, this.#beforeMax, this.#afterMax);
    for (const shape of this.#shapes) {
      // The `*` may stand for nothing, but what is before and after it never shares characters.
      if (shape.before + shape.after > key.length) continue;
      let pattern = shape.patterns.get(joinedHash(shape.before, shape.after));
      while (pattern !== undefined && !fits(pattern, key)) pattern = pattern.next;
      if (pattern === undefined) continue;
      if (accepts === undefined || accepts(pattern.entry)) return pattern.entry;
      // What was asked may have looked for another key.
      hashPieces(key, this.#beforeMax, this.#afterMax);
    }
    return undefined;
  }

  #addExact(key: string, entry: Entry): boolean {
    if (this.#exact.has(key)) return false;
    this.#exact.set(key, entry);
    return true;
  }

  #addPattern(before: string, after: string, entry: Entry): boolean {
    const { patterns } = this.#shapeOf(before.length, after.length);
    hashPieces(before + after, before.length, after.length);
    const hash = joinedHash(before.length, after.length);
    const next = patterns.get(hash);
    for (let other = next; other !== undefined; other = other.next) {
      if (other.before === before && other.after === after) return false;
    }
    patterns.set(hash, { before, after, entry, next });
    return true;
  }

  /** Finds the shape, or adds it in its place. */
  #shapeOf(before: number, after: number): Shape<Entry> {
    let low = 0;
    let high = this.#shapes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const shape = this.#shapes[middle]!;
      const order = before + after - shape.before - shape.after || before - shape.before;
      if (order === 0) return shape;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    const shape = { before, after, patterns: new Map<number, Pattern<Entry>>() };
    this.#shapes.splice(low, 0, shape);
    this.#beforeMax = Math.max(this.#beforeMax, before);
    this.#afterMax = Math.max(this.#afterMax, after);
    return shape;
  }
}

function fits({ before, after }: Pattern<unknown>, key: string): boolean {
  return key.startsWith(before) && key.endsWith(after);
}

/** FNV-1a over code units. A key made to collide costs one comparison; entries are not made by who sends keys. */
const HASH_START = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;

/** Hashes of the first n and of the last n characters of the key in question, which so are computed once for all n. */
const hashesBefore = new Int32Array(MAX_KEY_LENGTH + 1).fill(HASH_START);
const hashesAfter = new Int32Array(MAX_KEY_LENGTH + 1).fill(HASH_START);

function hashPieces(key: string, beforeMax: number, afterMax: number): void {
  const length = key.length;
  let hash = HASH_START;
  for (let count = 1; count <= beforeMax && count <= length; count += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(count - 1), HASH_PRIME);
    hashesBefore[count] = hash;
  }
  hash = HASH_START;
  for (let count = 1; count <= afterMax && count <= length; count += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(length - count), HASH_PRIME);
    hashesAfter[count] = hash;
  }
}

function joinedHash(before: number, after: number): number {
  return Math.imul(hashesBefore[before]!, HASH_PRIME) ^ hashesAfter[after]!;
}

function checkPattern(field: string, pattern: unknown): void {
  if (typeof pattern !== "string" || pattern.length < 1 || pattern.length > MAX_KEY_LENGTH) {
    throw optionError(field, `a key or pattern of 1 to ${MAX_KEY_LENGTH} characters`, pattern);
  }
  if (pattern.indexOf("*") !== pattern.lastIndexOf("*")) {
    throw optionError(field, 'a key, or a pattern with one "*"', pattern);
  }
}
