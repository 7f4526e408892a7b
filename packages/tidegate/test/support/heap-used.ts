import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Returns how many bytes the heap holds, once what nobody refers to is gone. */
export function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}
