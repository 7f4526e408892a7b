// One limiter in its own process, that gossips or decides alone: decisions per second over keys that are all warm.
// Arguments: "gossip" or "local", the number of keys. The four nodes that it gossips with run in a thread beside it, so
// that what they do themselves is not in its time, and what they send is.

import { Worker } from "node:worker_threads";
import { createLimiter, type Limiter, tokenBucket } from "tidegate";
import { answerMeasurements } from "../process/answer.ts";
import { WarmLoop } from "../process/decide-warm.ts";
import {
  BUCKET,
  createThreadTransport,
  GOSSIP,
  nameOf,
  type ThreadMessage,
} from "./in-process-nodes.ts";

const [coordination, keyCountText] = process.argv.slice(2);
const keys = Array.from({ length: Number(keyCountText) }, (_, place) => nameOf(place));
const limits = [tokenBucket(BUCKET)];

const { limiter, counts } =
  coordination === "gossip"
    ? await createGossiping()
    : { limiter: createAlone(), counts: noCounts };
const loop = new WarmLoop({ limiter, keys, source: "local", yields: true });
await loop.warm();

answerMeasurements({}, async ({ sliceMs }) => {
  const before = counts();
  const perSecond = await loop.measure(sliceMs as number);
  if (perSecond === undefined) throw new Error("a decision was denied");
  const after = counts();
  return {
    perSecond,
    received: after.received - before.received,
    rounds: after.rounds - before.rounds,
  };
});

function createAlone(): Limiter {
  return createLimiter({ policies: { api: { coordination: "local", limits } } });
}

function noCounts() {
  return { received: 0, rounds: 0 };
}

async function createGossiping() {
  const worker = new Worker(new URL("./in-process-peers.ts", import.meta.url), {
    workerData: { keys: keys.length },
    execArgv: ["--conditions=@tidegate/source"],
  });
  const { transport, received } = createThreadTransport(0, (message: ThreadMessage) => {
    worker.postMessage(message);
  });
  worker.on("message", received);
  let bytes = 0;
  let rounds = () => 0;
  const limiter = createLimiter({
    policies: { api: { coordination: "gossip", limits } },
    gossip: { ...GOSSIP, transport },
    telemetry: {
      gossiped: (event) => {
        if (event.direction === "received") bytes += event.bytes;
      },
      gossipWatched: (status) => {
        rounds = () => status().rounds;
      },
    },
  });
  await limiter.ping();
  return { limiter, counts: () => ({ received: bytes, rounds: rounds() }) };
}
