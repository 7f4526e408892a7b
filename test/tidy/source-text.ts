// Tells code from comments, strings and regular expressions, so that rules look at what runs and not at what is quoted.

import { stripTypeScriptTypes } from "node:module";

/** A file's text three times, each as long as the original, line for line; what is left out is spaces. */
export interface SourceText {
  readonly text: string;
  /** Without comments. */
  readonly uncommented: string;
  /** Without comments, and without what strings, templates and regular expressions hold. */
  readonly code: string;
}

/** Reads TypeScript or JavaScript. */
export function readSource(text: string): SourceText {
  const uncommented = text.split("");
  const code = text.split("");
  for (const { from, to, isComment } of spans(text)) {
    for (let at = from; at < to; at += 1) {
      if (text[at] === "\n") continue;
      code[at] = " ";
      if (isComment) uncommented[at] = " ";
    }
  }
  return { text, uncommented: uncommented.join(""), code: code.join("") };
}

/** The same without types; positions stay. */
export function withoutTypes(text: string): SourceText {
  return readSource(stripTypeScriptTypes(text));
}

interface Span {
  readonly from: number;
  readonly to: number;
  readonly isComment: boolean;
}

function spans(text: string): Span[] {
  const found: Span[] = [];
  // Depths of the braces in which a template's ${} began.
  const templates: number[] = [];
  let depth = 0;
  let at = 0;
  const take = (to: number, isComment: boolean) => {
    found.push({ from: at, to, isComment });
    at = to;
  };
  const takeTemplate = (from: number) => {
    const to = endOfTemplatePart(text, from);
    if (text[to - 1] === "{") templates.push(depth);
    take(to, false);
  };
  while (at < text.length) {
    const two = text.slice(at, at + 2);
    const char = text[at]!;
    if (two === "//" || (two === "#!" && at === 0)) take(endOr(text.indexOf("\n", at), text), true);
    else if (two === "/*") take(endOr(text.indexOf("*/", at + 2), text, 2), true);
    else if (char === '"' || char === "'") take(endOfQuoted(text, at, char), false);
    else if (char === "`") takeTemplate(at + 1);
    else if (char === "}" && templates.at(-1) === depth) {
      templates.pop();
      takeTemplate(at + 1);
    } else if (char === "/" && startsRegex(text, at)) take(endOfRegex(text, at), false);
    else {
      if (char === "{") depth += 1;
      if (char === "}") depth -= 1;
      at += 1;
    }
  }
  return found;
}

function endOr(index: number, text: string, length = 0): number {
  return index === -1 ? text.length : index + length;
}

function endOfQuoted(text: string, from: number, quote: string): number {
  let at = from + 1;
  while (at < text.length && text[at] !== quote && text[at] !== "\n")
    at += text[at] === "\\" ? 2 : 1;
  return Math.min(at + 1, text.length);
}

/** The end of a template, or of its part up to and with the next `${`. */
function endOfTemplatePart(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    if (text[at] === "`") return at + 1;
    if (text.startsWith("${", at)) return at + 2;
    at += text[at] === "\\" ? 2 : 1;
  }
  return text.length;
}

/** A slash divides after a value, and opens a regular expression everywhere else. */
function startsRegex(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  if (before === "") return true;
  if (/\b(return|typeof|case|in|of|void|do|else|await|yield)$/.test(before)) return true;
  return !/[\w$)\]"'`}]$/.test(before);
}

function endOfRegex(text: string, from: number): number {
  let inClass = false;
  let at = from + 1;
  while (at < text.length && text[at] !== "\n") {
    const char = text[at];
    if (char === "\\") at += 1;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) break;
    at += 1;
  }
  return Math.min(at + 1, text.length);
}
