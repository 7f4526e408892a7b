// The door "tidegate-server".

export type { Configuration, LogLevel } from "./configuration.ts";
export { type Address, type Service, type ServicePorts, startService } from "./service.ts";
export type { Logger } from "./telemetry/logger.ts";
