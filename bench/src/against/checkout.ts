// A checkout of this repository on the disk, by whose library something is measured.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const SOURCE = "@tidegate/source";

/** The parts of the library's package.json that lead to its doors. */
interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

/**
 * Returns the URL of a door of the library in a checkout, "." or "./redis", in its sources: nothing needs to be
 * installed or built there.
 * @throws where there is no such checkout or door.
 */
export function doorOf(checkout: string, door: string): string {
  const library = new URL("packages/tidegate/", pathToFileURL(`${checkout}/`));
  const { exports } = JSON.parse(
    readFileSync(new URL("package.json", library), "utf8"),
  ) as Manifest;
  const targets = exports[door];
  const source = typeof targets === "object" ? targets[SOURCE] : undefined;
  if (source === undefined) throw new Error(`${checkout} has no door "${door}" of its library`);
  return new URL(source, library).href;
}

/** Names the commit of a checkout, and says where it has been changed since. */
export function describeCheckout(checkout: string): string {
  const git = (...args: string[]) => {
    return execFileSync("git", ["-C", checkout, ...args], { encoding: "utf8" }).trim();
  };
  const commit = git("rev-parse", "--short", "HEAD");
  return git("status", "--porcelain", "--", "packages/tidegate/src") === ""
    ? commit
    : `${commit}, changed`;
}
