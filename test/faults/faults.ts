// All faults, in the order of the table.

import { CLOCK_FAULTS } from "./families/clock.ts";
import { CLUSTER_FAULTS } from "./families/cluster.ts";
import { CREDENTIAL_FAULTS } from "./families/credentials.ts";
import { NETWORK_FAULTS } from "./families/network.ts";
import { PROCESS_FAULTS } from "./families/processes.ts";
import { REPLY_FAULTS } from "./families/replies.ts";
import type { Fault } from "./fault.ts";

/** Every fault of the suite. */
export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...REPLY_FAULTS,
  ...CLUSTER_FAULTS,
  ...CREDENTIAL_FAULTS,
  ...CLOCK_FAULTS,
];
