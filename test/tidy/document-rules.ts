// Rules about Markdown: links, anchors, and the commands and files that it quotes, are there; its lines are short.

import { posix } from "node:path";

/** What documents may refer to. */
export interface Referable {
  readonly exists: (path: string) => boolean;
  readonly read: (path: string) => string;
  /** Names of the root package.json's scripts. */
  readonly scripts: readonly string[];
}

const FENCE = /^(```|~~~)[^\n]*\n[\s\S]*?^\1[^\n]*$/gm;

const MAX_COLUMNS = 120;

/** Lines of prose that are too long. Tables, code and pictures are as wide as they are; links count without targets. */
export function columnProblems(text: string): string[] {
  let fence: string | undefined;
  return text.split("\n").flatMap((line, index) => {
    const [, mark] = /^\s*(```|~~~)/.exec(line) ?? [];
    if (mark !== undefined && (fence === undefined || fence === mark)) {
      fence = fence === undefined ? mark : undefined;
      return [];
    }
    if (fence !== undefined || /^\s*(\||!\[[^\]]*\]\([^)]*\)$)/.test(line)) return [];
    const seen = line.replace(/\]\([^)]*\)/g, "]").replace(/\bhttps?:\/\/[^\s)>]+/g, "");
    const columns = [...seen].length;
    return columns > MAX_COLUMNS
      ? [`line ${index + 1} has ${columns} of ${MAX_COLUMNS} columns`]
      : [];
  });
}

/** Relative links whose file or heading is missing. */
export function linkProblems(path: string, text: string, { exists, read }: Referable): string[] {
  const prose = text.replace(FENCE, "").replace(/`[^`\n]*`/g, "");
  const inline = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const defined = [...prose.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)];
  const targets = [...inline, ...defined].map((match) => match[1]!);
  return targets.flatMap((target) => {
    if (/^[a-z][a-z+.-]*:/.test(target)) return [];
    const [file = "", anchor] = decodeURI(target).split("#");
    const at = file === "" ? path : posix.join(posix.dirname(path), file);
    if (at !== path && !exists(at)) return [`links to ${target}, and there is no ${at}`];
    if (anchor === undefined || !at.endsWith(".md")) return [];
    const headings = anchorsOf(at === path ? text : read(at));
    return headings.includes(anchor) ? [] : [`links to ${target}, and ${at} has no such heading`];
  });
}

/** The anchors that GitHub gives to a document's headings. */
export function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...text.replace(FENCE, "").matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map((match) => {
    const plain = match[1]!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "");
    const slug = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** Commands of this repository that do not exist, and quoted files that are not there. */
export function commandProblems(text: string, { exists, scripts }: Referable): string[] {
  const fenced = text.match(FENCE) ?? [];
  const quoted = [...text.replace(FENCE, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  const problems = [...fenced, ...quoted].flatMap((code) => {
    const run = [...code.matchAll(/\bnpm run ([\w:-]+)/g)].map((match) => match[1]!);
    const short = [...code.matchAll(/\bnpm (start|test)\b/g)].map((match) => match[1]!);
    const files = [
      ...code.matchAll(/\bnode (?:--\S+ )*((?:scripts|packages|examples|bench)\/[\w./-]+)/g),
    ];
    return [
      ...[...run, ...short]
        .filter((name) => !scripts.includes(name))
        .map((name) => `no script is named ${name}`),
      ...files
        .map((match) => match[1]!)
        .filter((file) => !exists(file))
        .map((file) => `there is no ${file}`),
    ];
  });
  const paths = quoted.filter((code) =>
    /^(packages|docs|scripts|test|bench|examples|\.ci)\/[\w./-]*\w$/.test(code),
  );
  return [
    ...problems,
    ...paths.filter((file) => !exists(file)).map((file) => `names ${file}, which is not there`),
  ];
}
