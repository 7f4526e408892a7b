// Colours for terminals, and none for anything else.

import { styleText } from "node:util";
import type { Context, Output } from "./context.ts";

/** Colours that a command may use. */
export type Paint = (
  color: "green" | "red" | "yellow" | "cyan" | "bold" | "dim",
  text: string,
) => string;

/** Creates what colours the text for an output: it does on a terminal, unless NO_COLOR is set (no-color.org). */
export function createPaint(output: Output, environment: Context["environment"]): Paint {
  const colored = output.isTTY === true && !environment.NO_COLOR && environment.TERM !== "dumb";
  return (color, text) => (colored ? styleText(color, text, { validateStream: false }) : text);
}
