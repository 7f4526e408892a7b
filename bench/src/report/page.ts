// A page that is written by hand but for the tables of a benchmark, which stand between two marks.

const END = "<!-- end of the tables -->";

/**
 * Returns the page with `tables` in the place of those of the benchmark `name`.
 * @throws where the page has no place for them.
 */
export function replaceTables(page: string, name: string, tables: string): string {
  const begin = `<!-- tables: npm run bench -- ${name} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(END, from);
  if (from === -1 || to === -1) throw new Error(`the page has no place "${begin}" to "${END}"`);
  return `${page.slice(0, from)}${begin}\n\n${tables}\n\n${page.slice(to)}`;
}
