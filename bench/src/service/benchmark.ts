// The service under load from another process: unary gRPC beside a bare echo, batches, and HTTP beside node:http.

import { startTidegate, type TidegateProcess } from "../../../test/support/tidegate-process.ts";
import type { Benchmark, Effort } from "../benchmark.ts";
import { type Contender, interleave, startContender } from "../process/contender.ts";
import type { Measurement, Section } from "../report/section.ts";
import { median } from "../report/statistics.ts";

const LOAD_FILE = new URL("./load.ts", import.meta.url);
const ECHO_FILE = new URL("./echo.ts", import.meta.url);
const CONFIGURATION = `
store: memory
policies:
  api:
    limits:
      - { algorithm: token-bucket, capacity: 1000000000, refill: 1/s }
`;
const CLIENT =
  "The client keeps its headers and messages encoded, reads of an answer no more than that it is one, and takes a " +
  "fraction of the server's time, so that the server is what is measured.";

/** Until V8 has compiled a server's path at its best. */
const WARM_UP_MS = 3_000;

/** The benchmark "service". */
export const serviceBenchmark: Benchmark = {
  name: "service",
  async run(effort) {
    const service = await startTidegate(CONFIGURATION);
    const open: Contender[] = [];
    const start = async (name: string, file: URL, args: readonly string[]) => {
      const contender = await startContender(name, file, args);
      open.push(contender);
      return contender;
    };
    try {
      return [
        ...(await runUnary(service, start, effort)),
        await runBatches(service, start, effort),
        ...(await runHttp(service, start, effort)),
      ];
    } finally {
      await Promise.all(open.map((contender) => contender.stop()));
      await service.stop();
    }
  },
};

type Start = (name: string, file: URL, args: readonly string[]) => Promise<Contender>;

async function runUnary(service: TidegateProcess, start: Start, effort: Effort) {
  const name = "tidegate, CheckLimit";
  const echoName = "bare echo on grpc-js";
  const ours = await start(name, LOAD_FILE, ["unary", String(service.grpcPort)]);
  const echo = await start("echo", ECHO_FILE, ["unary", String(ours.info.answerBytes)]);
  const theirs = await start(echoName, LOAD_FILE, ["unary", String(echo.info.port)]);
  const throughput = await measure([ours, theirs], effort);
  const section: Section = {
    title: "Service, unary gRPC: throughput",
    how:
      "128 calls in flight on 4 connections, over 10,000 keys in memory, none ever denied. The " +
      "echo is a grpc-js server " +
      `with the same options in its own process, whose answer has as many bytes and is made of nothing. ${CLIENT}`,
    measurements: throughput,
    comparator: echoName,
    goals: [
      {
        contender: name,
        against: echoName,
        atLeast: 0.85,
        whenMissed: [
          "A profile of the service under this load (`node --cpu-prof " +
            "packages/server/bin/tidegate.js serve`) has all its " +
            "first lines in node:http2, @grpc/grpc-js and the collector; of Tidegate the look-up " +
            "of the key comes first, " +
            "at about one per cent. Messages are already read and written by hand, and channelz is off.",
        ],
      },
    ],
  };
  const latency = await runLatency("unary gRPC", ours, median(throughput[0]!.values), effort);
  return [section, latency];
}

async function runBatches(service: TidegateProcess, start: Start, effort: Effort) {
  const name = "tidegate, CheckLimits of 100, decisions";
  const batches = await start(name, LOAD_FILE, ["batch", String(service.grpcPort)]);
  return {
    title: "Service, gRPC batches of 100",
    how: `16 calls in flight on 4 connections, 100 keys in each, 10,000 keys in memory in all. ${CLIENT}`,
    measurements: await measure([batches], effort),
    goals: [{ contender: name, atLeast: 400_000 }],
  };
}

async function runHttp(service: TidegateProcess, start: Start, effort: Effort) {
  const name = "tidegate, POST /v1/check";
  const echoName = "bare JSON echo on node:http";
  const ours = await start(name, LOAD_FILE, ["http", String(service.httpPort)]);
  const echo = await start("echo", ECHO_FILE, ["http", String(ours.info.answerBytes)]);
  const theirs = await start(echoName, LOAD_FILE, ["http", String(echo.info.port)]);
  const throughput = await measure([ours, theirs], effort);
  const section: Section = {
    title: "Service, HTTP: throughput",
    how:
      "64 keep-alive connections, one request at a time on each. The echo parses the body and " +
      "answers JSON with as many " +
      `bytes, without Tidegate's headers. ${CLIENT}`,
    measurements: throughput,
    comparator: echoName,
    goals: [],
  };
  return [section, await runLatency("HTTP", ours, median(throughput[0]!.values), effort)];
}

async function measure(
  contenders: readonly Contender[],
  effort: Effort,
): Promise<readonly Measurement[]> {
  const request = { sliceMs: 2 * effort.sliceMs };
  await interleave(contenders, 1, { sliceMs: WARM_UP_MS });
  const results = await interleave(contenders, effort.rounds, request);
  return contenders.map(({ name }, index) => {
    const values = results[index]!.map(({ perSecond }) => perSecond!);
    return { contender: name, unit: "per second", values };
  });
}

async function runLatency(
  door: string,
  contender: Contender,
  peak: number,
  effort: Effort,
): Promise<Section> {
  const perSecond = Math.round(peak / 2);
  const request = { perSecond, sliceMs: 2 * effort.sliceMs };
  await contender.measure(request);
  const [results] = await interleave([contender], effort.rounds, request);
  const row = (name: string, key: "p50" | "p99" | "p999"): Measurement => {
    return { contender: name, unit: "ms", values: results!.map((result) => result[key]!) };
  };
  return {
    title: `Service, ${door}: latency at half load`,
    how:
      `${perSecond.toLocaleString("en-US")} requests/s, half of the median throughput above, evenly spaced; latency ` +
      "counts from the instant at which a request was due, and has up to a millisecond of the " +
      "load generator's timer in it.",
    measurements: [row("p50", "p50"), row("p99", "p99"), row("p99.9", "p999")],
    goals: [],
  };
}
