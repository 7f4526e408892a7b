// A YAML file, parsed, whose nodes know where they are written. What is wrong is collected, never thrown. Nothing is
// turned into plain values before its place in the schema is known, so aliases cannot be made to grow.

import { isUtf8 } from "node:buffer";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { createProblem, type Place, type Problem } from "./problem.ts";
import { redactText } from "./redact.ts";
import { type Checked, didYouMean } from "./values.ts";

/** The largest file, in bytes. */
export const MAX_FILE_BYTES = 1_048_576;
const MAX_SYNTAX_ERRORS = 5;

/** A value in the file: where its key stands, and its path, such as "policies.api.limits[0].capacity". */
export interface Field {
  readonly path: string;
  readonly name: string;
  /** The key, or where there is none, the value. */
  readonly key: Node;
  readonly value: Node | null;
}

/** A parsed file that collects what is wrong with it. */
export class YamlFile {
  readonly problems: Problem[] = [];
  /** The root; null where there is nothing to read, or nothing that can be trusted. */
  readonly root: Node | null = null;
  readonly #name: string;
  readonly #lines = new LineCounter();
  readonly #targets = new Map<Node, Node>();

  /** @param name how the file is called in messages. */
  constructor(name: string, bytes: Uint8Array) {
    this.#name = name;
    const text = this.#decode(bytes);
    if (text === undefined) return;
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      stringKeys: true,
      // Found by readMap, which knows their paths, and without comparing every key with every other.
      uniqueKeys: false,
      resolveKnownTags: false,
      logLevel: "error",
    });
    this.#reportSyntax(document);
    if (this.problems.length > 0) return;
    this.#findTargets(document);
    if (this.problems.length > 0) return;
    this.root = document.contents;
    if (this.root === null) {
      this.#reportAt(
        0,
        "the file is empty: write at least `policies`, as in docs/configuration.md",
      );
    }
  }

  /** Adds a problem at a node; `message` is a whole sentence that starts with the path. */
  report(node: Node, message: string): void {
    this.problems.push(createProblem(message, this.place(node)));
  }

  /** Reports a key that means nothing here. */
  reportUnknown({ key, name, path }: Field, known: readonly string[]): void {
    const hint = didYouMean(name, known);
    const right = hint === "" ? `; known are ${known.join(", ")}` : hint;
    const merge = "<< is a merge key, which YAML 1.2 does not have: write the keys out";
    this.report(key, name === "<<" ? merge : `unknown key ${path}${right}`);
  }

  /** Returns where a node is written. */
  place(node: Node): Place {
    return this.#placeOf(node.range?.[0] ?? 0);
  }

  /**
   * Reads a map with known keys and reports all others, keys written twice, and what is no map.
   * @param known the keys, or undefined where any name may stand.
   * @param example what a right one looks like.
   */
  readMap(
    field: Field,
    known: readonly string[] | undefined,
    example: string,
  ): Map<string, Field> | undefined {
    const node = this.resolve(field.value);
    if (!isMap(node)) {
      const path = field.path === "" ? "the file" : field.path;
      this.report(
        node ?? field.key,
        `${path} must be a map such as ${example}, got ${kindOf(node)}`,
      );
      return undefined;
    }
    const fields = new Map<string, Field>();
    for (const { key, value } of node.items) {
      if (!isScalar(key)) continue;
      const name = String(key.value);
      const inner = { path: join(field.path, name), name, key, value: value as Node | null };
      const first = fields.get(name);
      if (first !== undefined) {
        const line = this.place(first.key).line;
        this.report(key, `${inner.path} is written twice, first in line ${line}`);
      } else if (known === undefined || known.includes(name)) {
        fields.set(name, inner);
      } else {
        this.reportUnknown(inner, known);
      }
    }
    return fields;
  }

  /** Reads a list, and reports what is none. */
  readList(field: Field, expected: string): Field[] | undefined {
    const node = this.resolve(field.value);
    if (!isSeq(node)) {
      this.report(node ?? field.key, `${field.path} must be ${expected}, got ${kindOf(node)}`);
      return undefined;
    }
    return node.items.map((item, index) => {
      const value = item as Node;
      return { path: `${field.path}[${index}]`, name: field.name, key: value, value };
    });
  }

  /** Returns a value as JavaScript has it where it is a scalar; a list or map is returned as an empty one. */
  readScalar(field: Field): unknown {
    const node = this.resolve(field.value);
    if (isScalar(node)) return node.value;
    if (node === null) return null;
    return isSeq(node) ? [] : {};
  }

  /** Reads a value, and reports it where it is wrong. */
  readValue<T>(field: Field, check: (value: unknown) => Checked<T>): T | undefined {
    const checked = check(this.readScalar(field));
    if ("value" in checked) return checked.value;
    this.report(this.valueNode(field), `${field.path} ${checked.wrong}`);
    return undefined;
  }

  /** Returns the node to report a wrong value at. */
  valueNode(field: Field): Node {
    return this.resolve(field.value) ?? field.key;
  }

  /** Follows an alias to what it stands for. */
  resolve(node: Node | null): Node | null {
    return node !== null && isAlias(node) ? (this.#targets.get(node) ?? null) : node;
  }

  #decode(bytes: Uint8Array): string | undefined {
    if (bytes.length > MAX_FILE_BYTES) {
      const message = `the file must have ${MAX_FILE_BYTES} bytes at most, got ${bytes.length}`;
      this.problems.push(createProblem(message, { file: this.#name, line: 1, column: 1 }));
      return undefined;
    }
    if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
    this.problems.push(createProblem(...this.#describeEncoding(bytes)));
    return undefined;
  }

  #describeEncoding(bytes: Uint8Array): [string, Place] {
    const utf16 =
      (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const is = utf16 ? "is UTF-16" : "has bytes that are not";
    const [before] = new TextDecoder().decode(bytes).split("\ufffd", 1);
    const lines = before!.split("\n");
    const place = { file: this.#name, line: lines.length, column: lines.at(-1)!.length + 1 };
    return [`the file must be in UTF-8, but ${is}: save it as UTF-8`, place];
  }

  #reportSyntax(document: Document.Parsed): void {
    const { yaml } = document.directives;
    if (yaml.explicit && yaml.version !== "1.2") {
      this.#reportAt(0, `the file must be YAML 1.2, got %YAML ${yaml.version}: leave the line out`);
    }
    const faults = [...document.errors, ...document.warnings];
    for (const fault of faults.slice(0, MAX_SYNTAX_ERRORS)) {
      this.#reportAt(fault.pos[0], describeSyntax(fault));
    }
  }

  /** Finds what aliases stand for in one pass, as looking each up by itself would take a pass each. */
  #findTargets(document: Document.Parsed): void {
    const anchors = new Map<string, Node>();
    visit(document, {
      Alias: (_, alias) => {
        const target = anchors.get(alias.source);
        if (target !== undefined) this.#targets.set(alias, target);
        else
          this.report(
            alias,
            `*${alias.source} refers to nothing: no &${alias.source} is before it`,
          );
      },
      Value: (_, node) => {
        if (node.anchor !== undefined) anchors.set(node.anchor, node as Node);
      },
    });
  }

  #placeOf(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#name, line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #reportAt(offset: number, message: string): void {
    this.problems.push(createProblem(message, this.#placeOf(offset)));
  }
}

function describeSyntax({ code, message }: YAMLError): string {
  if (code === "TAB_AS_INDENT") return "YAML is not indented with tabs: use spaces";
  if (code === "RESOURCE_EXHAUSTION") return "the file is nested too deeply";
  if (code === "MULTIPLE_DOCS") return "the file must hold one document: leave `---` out";
  if (code === "TAG_RESOLVE_FAILED")
    return `tags such as ! and !! mean nothing here: ${redactText(message)}`;
  return `not valid YAML: ${redactText(message)}`;
}

function join(path: string, name: string): string {
  if (!/^[\w.-]{1,64}$/.test(name)) {
    const shown = name.length > 64 ? `${name.slice(0, 61)}...` : name;
    return `${path}[${JSON.stringify(shown)}]`;
  }
  return path === "" ? name : `${path}.${name}`;
}

function kindOf(node: Node | null): string {
  if (isMap(node)) return "a map";
  if (isSeq(node)) return "a list";
  const value = isScalar(node) ? node.value : null;
  return value === null ? "nothing" : typeof value === "string" ? "a text" : `${value}`;
}
