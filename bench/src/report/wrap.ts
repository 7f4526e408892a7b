// Wraps the prose of a report to the columns that documents have, so that a later report differs from it by lines and
// not by paragraphs. Tables, headings and code stay as they are.

const COLUMNS = 120;

/** What at the beginning of a line would be no prose any more: a list's mark, a heading's, a quotation's. */
const MARK = /^([-+*>=]|#+|\d+[.)])$/;

/** Wraps each longer line of Markdown, at spaces outside of code; what a list's item goes on with is indented. */
export function wrapProse(markdown: string, columns = COLUMNS): string {
  let fenced = false;
  const lines = markdown.split("\n").map((line) => {
    const isFence = /^\s*(```|~~~)/.test(line);
    if (isFence) fenced = !fenced;
    const stays = isFence || fenced || line.length <= columns || /^\s*(\||#)/.test(line);
    return stays ? line : wrapLine(line, columns);
  });
  return lines.join("\n");
}

function wrapLine(line: string, columns: number): string {
  const [mark] = /^\s*([-*+] |\d+[.)] )?/.exec(line)!;
  const indent = " ".repeat(mark.length);
  const lines: string[] = [];
  let current = mark;
  for (const word of line.slice(mark.length).match(/(`[^`]*`|[^\s`])+/g) ?? []) {
    const isFirst = current === mark || current === indent;
    const longer = isFirst ? current + word : `${current} ${word}`;
    if (longer.length <= columns || isFirst || MARK.test(word)) {
      current = longer;
      continue;
    }
    lines.push(current);
    current = indent + word;
  }
  return [...lines, current].join("\n");
}
