// What every middleware promises, whatever its framework: one suite, run over an adapter per framework and version.
// It talks to a real server over loopback and knows nothing but fetch.

import { after, describe } from "node:test";
import { describeAddresses } from "./contract-addresses.ts";
import { describeAnswers } from "./contract-answers.ts";
import { describeFaults } from "./contract-faults.ts";
import { describeKeys } from "./contract-keys.ts";
import { describeOptions } from "./contract-options.ts";
import { describePermits } from "./contract-permits.ts";
import { describeQueues } from "./contract-queues.ts";
import { describeRefunds } from "./contract-refunds.ts";
import type { MiddlewareAdapter, RunningServer, ServerOptions } from "./contract-setup.ts";

/** Runs the suite. */
export function testMiddleware(adapter: MiddlewareAdapter): void {
  describe(`the contract of middlewares, ${adapter.name}`, () => {
    const cleanups: (() => Promise<void>)[] = [];
    after(async () => {
      for (const cleanup of cleanups) await cleanup();
    });

    async function serve(options: ServerOptions): Promise<RunningServer> {
      const server = await adapter.serve(options);
      cleanups.push(() => server.close());
      return server;
    }

    describeAnswers(serve);
    describeOptions(serve);
    describeFaults(serve);
    describeAddresses(serve);
    describeKeys(serve);
    describeQueues(serve);
    describePermits(serve);
    describeRefunds(serve);
  });
}
