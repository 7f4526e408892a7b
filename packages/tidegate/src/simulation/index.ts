// The door "tidegate/simulation".

export { type CheckedScenario, checkScenario } from "./check-scenario.ts";
export type { ScenarioProblem } from "./option-reader.ts";
export type {
  ConfigurationReport,
  FaultReport,
  LatencyReport,
  MessageReport,
  Report,
  Timeline,
  TrafficReport,
  Verdict,
  WorstSecond,
} from "./report.ts";
export type {
  ConfigurationOptions,
  FaultOptions,
  FaultTime,
  KeysOptions,
  LinkOptions,
  NetworkOptions,
  NodesOptions,
  ReplayedRequest,
  Scenario,
  TrafficOptions,
} from "./scenario.ts";
export { type Progress, type SimulateOptions, simulate } from "./simulate.ts";
export {
  type MessageCounts,
  type Partition,
  SimulatedNetwork,
  type SimulatedNetworkOptions,
} from "./simulated-network.ts";
export { SimulatedTransport, type SimulatedTransportOptions } from "./simulated-transport.ts";
export { createLoop, VirtualTime } from "./virtual-time.ts";
