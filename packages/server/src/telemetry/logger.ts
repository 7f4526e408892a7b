// The service's log: JSON lines on standard error, one per start, stop and change of state, none per request. Standard
// output is left to what a person or a script reads: the banner, and the answers of the command.

import { destination, pino, stdTimeFunctions } from "pino";
import type { LogLevel } from "../configuration.ts";

/** Logs fields and a message. pino's loggers fit. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Creates the logger of the service. Lines are written at once, so that the last ones before an exit are not lost;
 * there are few.
 */
export function createLogger(level: LogLevel): Logger {
  const options = {
    level,
    base: { service: "tidegate", pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination({ dest: 2, sync: true }));
}
