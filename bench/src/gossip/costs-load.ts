// The load under which gossip is weighed, in a process of its own: every key is asked for once in each second, on one
// service drawn at random or on all of them, in calls that are encoded beforehand and evenly spread over the second.

import { setTimeout as sleep } from "node:timers/promises";
import { createSeededRandom } from "../../../test/support/seeded-random.ts";
import { encodeHeaders, Http2Connection } from "../grpc/http2-connection.ts";
import { encodeBatch, framed } from "../grpc/messages.ts";
import type { CostsOrder, CostsReport } from "./costs-orders.ts";

const HEADERS = encodeHeaders("/tidegate.v1.RateLimiter/CheckLimits");
/** Keys in one call. */
const IN_A_CALL = 200;
const TURN_MS = 5;

process.on("disconnect", () => process.exit());
process.on("message", (order: CostsOrder) => void run(order));
process.send!("ready");

async function run(order: CostsOrder): Promise<void> {
  const { targets, keys, times, onAll, seconds, seed } = order;
  const connections = await Promise.all(
    targets.map(({ host, port }) => Http2Connection.open(port, host)),
  );
  const messages = Array.from({ length: keys / IN_A_CALL }, (_, call) => {
    const from = 1_000_000 + call * IN_A_CALL;
    const names = Array.from({ length: IN_A_CALL }, (_, key) => `user:${from + key}`);
    return framed(encodeBatch("users", names));
  });
  process.send!("started");
  const random = createSeededRandom(seed);
  const perSecond = messages.length * times;
  const chosen = new Uint8Array(messages.length);
  const startedMs = performance.now();
  let asked = 0;
  let open = 0;
  let answered = 0;
  let latestMs = 0;
  const ask = (connection: Http2Connection, message: Buffer) => {
    open += 1;
    const done = () => {
      open -= 1;
    };
    connection.call(HEADERS, message).then(() => {
      answered += 1;
      done();
    }, done);
  };
  for (;;) {
    const nowMs = performance.now() - startedMs;
    if (nowMs >= 1_000 * seconds) break;
    const due = Math.min((nowMs * perSecond) / 1_000, perSecond * seconds);
    for (; asked < due; asked += 1) {
      latestMs = Math.max(latestMs, nowMs - (1_000 * asked) / perSecond);
      const call = asked % messages.length;
      // Those that are asked several times in a second are so on the same service.
      if (asked % perSecond < messages.length) chosen[call] = random.below(connections.length);
      if (onAll) for (const connection of connections) ask(connection, messages[call]!);
      else ask(connections[chosen[call]!]!, messages[call]!);
    }
    await sleep(TURN_MS);
  }
  for (let waited = 0; open > 0 && waited < 2_000; waited += TURN_MS) await sleep(TURN_MS);
  const report: CostsReport = { answered: answered * IN_A_CALL, latestMs };
  process.send!(report);
}
