// The files that a simulation is written to. Whether they can be written is looked at before it runs, for it may run
// for long.

import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Report } from "tidegate/simulation";
import { writeCsv } from "../simulation/report-csv.ts";
import { writePage } from "../simulation/report-page.ts";
import type { Context } from "./context.ts";

/** Where to write, by the option that says so; left out, nowhere. */
export interface ReportFiles {
  readonly json?: string;
  readonly csv?: string;
  readonly html?: string;
}

const WRITERS = {
  json: (report: Report) => `${JSON.stringify(report, undefined, 2)}\n`,
  csv: writeCsv,
  html: writePage,
} as const;
const OPTIONS = ["json", "csv", "html"] as const;

/** Whether all can be written, as far as that is known before they are; says which cannot, and why. */
export function checkFiles(files: ReportFiles, { directory, stderr }: Context): boolean {
  const wrong = OPTIONS.flatMap((option) => {
    const named = files[option];
    const why = named === undefined ? undefined : whyNot(resolve(directory, named));
    return why === undefined ? [] : [sayWrong(option, named!, why)];
  });
  for (const line of wrong) stderr.write(line);
  return wrong.length === 0;
}

/** Writes what was asked for; says what could not be written. */
export function writeFiles(report: Report, files: ReportFiles, context: Context): boolean {
  const { directory, stdout, stderr } = context;
  let isWritten = true;
  for (const option of OPTIONS) {
    const named = files[option];
    if (named === undefined) continue;
    try {
      writeFileSync(resolve(directory, named), WRITERS[option](report));
      stdout.write(`  Written: ${named}\n`);
    } catch (error) {
      isWritten = false;
      stderr.write(sayWrong(option, named, (error as Error).message));
    }
  }
  return isWritten;
}

/** Why a file cannot be written; undefined where nothing speaks against it. */
function whyNot(path: string): string | undefined {
  const folder = dirname(path);
  const [file, place] = [path, folder].map((one) => statSync(one, { throwIfNoEntry: false }));
  if (file?.isDirectory()) return "it is a directory, and must be a file";
  if (place === undefined) return `there is no directory ${JSON.stringify(folder)}`;
  if (!place.isDirectory()) return `${JSON.stringify(folder)} is no directory`;
  try {
    accessSync(file === undefined ? folder : path, constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function sayWrong(option: keyof ReportFiles, named: string, why: string): string {
  return `--${option} ${JSON.stringify(named)} cannot be written: ${why}\n`;
}
