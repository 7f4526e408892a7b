// `tidegate demo --chaos`: what it shows of a real Redis that fails, and that nothing of it is left behind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import { startRedis, withoutRedis } from "../../../../test/support/redis-server.ts";
import { saySecond } from "../../src/cli/chaos-report.ts";
import { addTally, createTally } from "../../src/cli/chaos-traffic.ts";
import { execute, runHere, start } from "./support.ts";

const REDIS_SERVER = process.env.TIDEGATE_REDIS_SERVER;
const environment: Record<string, string> =
  REDIS_SERVER === undefined ? {} : { TIDEGATE_REDIS_SERVER: REDIS_SERVER };
const chaos = (...args: string[]) => ["demo", "--chaos", ...args];

function lives(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

/** Asserts that these stand in a text, one after the other. */
function assertInOrder(text: string, patterns: readonly RegExp[]): void {
  let rest = text;
  for (const pattern of patterns) {
    const match = pattern.exec(rest);
    assert.ok(match, `${pattern} in:\n${rest}`);
    rest = rest.slice(match.index + match[0].length);
  }
}

const VERDICT = [
  /admitted +allow +deny +local/,
  /\bup +[\d.]+ s .*store/,
  /(killed|cut off) .* fail-open\S* +\d+\/s fail-closed\S* .*fallback/,
  /\bup /,
  /(frozen|held up) /,
  /\bup /,
];

describe("demo --chaos", { skip: withoutRedis }, () => {
  test("a redis-server is started, killed, revived, frozen and thawed, and ended by its id", async () => {
    const { code, stdout, stderr } = await execute(chaos("--seconds", "8"), { environment });
    assert.deepEqual([code, stderr], [0, ""]);
    assertInOrder(stdout, [
      /3 nodes ask one Redis that will fail: redis-server on port \d+, process \d+\./,
      / 1 s up /,
      /\* kill -9 \d+: Redis is gone/,
      / \d s killed .*fail-open.*fail-closed.*fallback/,
      /\* Redis is started anew, empty, as process \d+/,
      /\* kill -STOP \d+/,
      / \d s frozen /,
      /\* kill -CONT \d+/,
      ...VERDICT,
      /Redis decided again .* after it was back\./,
      /The redis-server, process \d+, has been ended\./,
    ]);
    assert.ok(!stdout.includes("\u001b"), "no colours, and one line below the other");
    const pids = new Set([...stdout.matchAll(/process (\d+)/g)].map(([, pid]) => pid!));
    assert.equal(pids.size, 2, "killed and started anew");
    for (const pid of pids) assert.equal(lives(pid), false, pid);
  });

  test("Ctrl-C ends it early, with the same care", async () => {
    const running = start(chaos("--seconds", "3600", "--nodes", "1"), { environment });
    const pid = await eventually(() => {
      const match = /process (\d+)[\s\S]* 1 s up/.exec(running.stdout());
      assert.ok(match, running.stdout() + running.stderr());
      return match[1]!;
    });
    assert.equal(lives(pid), true);
    running.child.kill("SIGINT");
    const { code, stdout, stderr } = await running.ended;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /One node asks/);
    assert.match(
      stdout,
      /admitted +allow[\s\S]*The redis-server, process \d+, has been ended\.\n$/,
    );
    assert.equal(lives(pid), false);
  });

  test("of a Redis that is given the connections are cut, and it runs on", async (context) => {
    const redis = await startRedis();
    context.after(() => redis.stop());
    await redis.client.config("SET", "requirepass", "p@ss");
    await redis.client.auth("p@ss");
    const url = redis.url.replace("//", "//:p%40ss@");
    const args = chaos("--seconds", "8", "--nodes", "2", "--redis", `${url}/3`);
    const { code, stdout, stderr } = await execute(args);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.ok(!stdout.includes("p%40ss") && !stdout.includes("p@ss"));
    assertInOrder(stdout, [
      /2 nodes ask one Redis that will fail: redis:\/\/\*\*\*@127\.0\.0\.1:\d+\/3, through a proxy/,
      /\* All connections to Redis are cut, and new ones refused\. It is not the demo's to kill/,
      / \d s cut off .*fail-open.*fail-closed.*fallback/,
      /\* Connections to Redis are let through again/,
      /\* Nothing is passed on any more/,
      / \d s held up /,
      /\* Everything is passed on again/,
      ...VERDICT,
      /The proxy is closed; the Redis runs on\.\n$/,
    ]);
    assert.equal(await redis.client.ping(), "PONG");
    await redis.client.select(3);
    const keys = await redis.client.keys("*");
    assert.ok(keys.length > 0, "it counted there");
    for (const key of keys) assert.notEqual(await redis.client.pttl(key), -1, key);
  });
});

const refused: readonly (readonly [string, readonly string[], Record<string, string>, RegExp])[] = [
  ["no redis-server", [], {}, /^tidegate: --chaos needs a redis-server[\s\S]*pass --redis URL/],
  [
    "a redis-server that is none",
    [],
    { TIDEGATE_REDIS_SERVER: "/nowhere/redis-server" },
    /^tidegate: \/nowhere\/redis-server did not start: .*ENOENT\n$/,
  ],
  [
    "a Cluster",
    ["--redis", "redis+cluster://:hunter2@a:1,b:2"],
    {},
    /--redis must be one server without TLS where --chaos is given.*got "redis\+cluster:\/\/\*\*\*@a:1,b:2"/,
  ],
  ["TLS", ["--redis", "rediss://a:1"], {}, /--redis must be one server without TLS/],
  ["no address", ["--redis", "memory"], {}, /--redis must be the address of a Redis/],
  ["a wrong address", ["--redis", "http://a"], {}, /--redis must be a Redis address such as /],
  [
    "a Redis that is away",
    ["--redis", "redis://:hunter2@127.0.0.1:1"],
    {},
    /^tidegate: --redis redis:\/\/\*\*\*@127\.0\.0\.1:1 cannot be used: .*\nIs it running there\? Without --redis/,
  ],
  ["what is for the burst", ["--requests", "5"], {}, /'--chaos' cannot be used with .*--requests/],
  ["too short a time", ["--seconds", "3"], {}, /whole number from 4 to 3600/],
];

for (const [name, args, given, expected] of refused) {
  test(`refuses: ${name}`, async () => {
    const { code, stdout, stderr } = await execute(chaos(...args), {
      environment: { PATH: "/nowhere", ...given },
    });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, expected);
    assert.doesNotMatch(stderr, /hunter2/);
  });
}

test("--seconds is for --chaos alone", async () => {
  const { code, stderr } = await runHere(["demo", "--seconds", "5"]);
  assert.equal(code, 2);
  assert.match(stderr, /--seconds needs --chaos/);
});

test("a line says how many were admitted and denied, and who decided most of them", () => {
  const tally = createTally();
  const allow = tally.counts.get("allow")!;
  allow.admitted = 58;
  allow.denied = 2;
  allow.sources.set("store", 20);
  allow.sources.set("fail-open", 40);
  const total = createTally();
  addTally(total, tally);
  addTally(total, tally);
  total.slowestMs = 51.2;
  const plain = (_color: string, text: string) => text;
  const states = ["closed", "open", "half-open"] as const;
  assert.match(
    saySecond(7, "killed", states, total, plain),
    /^ {3}7 s killed {3}open 2\/3 {5}116 {4}4 fail-open\+ .* 52 ms$/,
  );
  assert.match(saySecond(12, "up", ["closed", "closed"], total, plain), /^ {2}12 s up {7}closed /);
  assert.match(saySecond(12, "up", ["half-open"], total, plain), / half-open {4}116/);
});
