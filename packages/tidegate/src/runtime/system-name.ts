import { hostname } from "node:os";
import { createSystemId } from "./system-ids.ts";

/** Makes a name for this process that no other has, and that people recognise: the machine's, and eight digits. */
export function createSystemName(): string {
  return `${hostname().slice(0, 64)}-${createSystemId().slice(0, 8)}`;
}
